"""Mixing weights under a mask: operations that an edge does not have take no part.

A masked architecture parameter counts as minus infinity. A softmax and a sigmoid then give it the
weight 0 exactly, share nothing with it, and hand no gradient to it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ltnas.space.edge_masks import Masks


def masked(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return values with minus infinity for masked operations; no gradient reaches these.

    Args:
        values: architecture parameters or mixing weights, [edges, operations].
        mask: True for the operations that exist, [edges, operations]; None: all of them.
    """
    return values if mask is None else values.masked_fill(~mask, -torch.inf)


class EdgeMasks(nn.Module):
    """Masks of all kinds of cell, on the device of the model that they are a part of.

    Masks that leave nothing out cost nothing.

    Args:
        masks: mask of each kind of cell. Every edge must have an operation: the softmax of an edge
            without any is not a number.
    """

    def __init__(self, masks: Masks) -> None:
        super().__init__()
        for kind, mask in masks.items():
            flat = [there for row in mask for there in row]
            partial = not all(flat)
            positions = [position for position, there in enumerate(flat) if there]
            # A checkpoint has none of them: they are part of the configuration.
            self.register_buffer(kind, torch.tensor(mask) if partial else None, persistent=False)
            places = torch.tensor(positions) if partial else None
            self.register_buffer(f"{kind}_positions", places, persistent=False)

    def mask(self, kind: str) -> Tensor | None:
        """Return the mask of a kind of cell, [edges, operations]; None if nothing is left out."""
        found: Tensor | None = getattr(self, kind)
        return found

    def masked(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `masked` of the values of each kind of cell, each [edges, operations]."""
        return {kind: masked(of_kind, self.mask(kind)) for kind, of_kind in values.items()}

    def existing(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the values of the operations that exist.

        Args:
            values: values of each kind of cell, [edges, operations].

        Returns:
            [existing operations] of a kind with a mask; the values as they are without one.
        """
        found = {}
        for kind, of_kind in values.items():
            positions: Tensor | None = getattr(self, f"{kind}_positions")
            # By position: a GPU would have to wait for the number of elements of a selection by
            # the mask, which no recorded step may do.
            found[kind] = (
                of_kind if positions is None else of_kind.flatten().index_select(0, positions)
            )
        return found
