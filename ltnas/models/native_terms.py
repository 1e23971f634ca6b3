"""Tensors that the forward and the backward pass of a cell by the CPU kernels have in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ltnas.kernels.normalisation import Normalisation, Term
from ltnas.kernels.pools import pool_forward
from ltnas.models.native_layout import Candidate, CellLayout
from ltnas.models.skip_dropout import DroppedSkip
from ltnas.models.stacked import Convolutions, Pool, Unit

Pools = dict[str, Tensor]
"""Outputs of the 3x3 pools of a state by their kind, `max` or `avg`, each [B, H', W', C]."""


class TermNormalisations:
    """Mean, inverse deviation and scale of every term, float64 [terms, C].

    The scale is the mixing weight, since candidates have no learned scale. A skip connection is not
    normalised: its mean stays 0 and its inverse deviation 1.

    Args:
        layout: layout of the cell.
        weights: mixing weights, [edges, operations].
        mean: mean of each term, [terms, C]; None: 0.
        inverse: inverse deviation of each term, [terms, C]; None: 1.
    """

    def __init__(
        self,
        layout: CellLayout,
        weights: Tensor,
        mean: Tensor | None = None,
        inverse: Tensor | None = None,
    ) -> None:
        self.layout = layout
        mixing = weights.detach()[layout.rows, layout.columns].double()  # [terms]
        # [terms, C], with memory for each channel, because kernels get the address of a row.
        self.scale = mixing[:, None].expand(-1, layout.channels).contiguous()
        self.mean = torch.zeros_like(self.scale) if mean is None else mean
        self.inverse = torch.ones_like(self.scale) if inverse is None else inverse
        # Views, which see the statistics that are written later.
        self._rows = [x.unbind(0) for x in (self.scale, self.mean, self.inverse)]

    def normalisation(self, candidate: Candidate) -> Normalisation:
        """Return the normalisation of a candidate's terms, views of [edges, C]."""
        rows = candidate.terms
        return Normalisation(self.mean[rows], self.inverse[rows], self.scale[rows])

    def terms_into(self, state: int, sources: Sequence[Tensor]) -> list[Term]:
        """Return the terms that enter a state, given the tensor of every term."""
        scales, means, inverses = self._rows
        return [
            Term(sources[i], scales[i], means[i], inverses[i]) for i in self.layout.entering(state)
        ]


class TermSources:
    """Tensor [B, H, W, C] of every term before normalisation; filled candidate by candidate."""

    def __init__(self) -> None:
        self.values: list[Tensor] = []

    def add(
        self, candidate: Candidate, states: Sequence[Tensor], saved: Sequence[Tensor], pools: Pools
    ) -> None:
        """Append the tensors of the next candidate's terms.

        Args:
            candidate: the next candidate in the order of the layout.
            states: states of the cell, at least up to the candidate's.
            saved: tensors saved for the backward pass, at least up to the candidate's.
            pools: pools of the candidate's state.
        """
        edges = len(candidate.targets)
        match candidate.module:
            case nn.Identity():
                self.values += [states[candidate.state]] * edges
            case DroppedSkip():
                factors = saved[candidate.saved.start]  # [edges, B, H, W, C]
                self.values += (factors * states[candidate.state]).unbind(0)
            case Pool() as pool:
                self.values += [pools[pool.kind]] * edges
            case _:
                output = saved[candidate.saved.stop - 1]  # [edges, B, H, W, C]
                self.values += output.unbind(0)


def compute_pools(candidates: Sequence[Candidate], state: Tensor) -> Pools:
    """Return the pools of a state [B, H, W, C]; none if no candidate that leaves it is a pool."""
    for candidate in candidates:
        if isinstance(candidate.module, Pool):
            maximum, mean = pool_forward(state, candidate.module.stride)
            # The kernel computes both in one pass, even where only one of them is a candidate.
            return {"max": maximum, "avg": mean}
    return {}


def reduce_inputs(state: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inputs of the two convolutions of `Reduce`, [B, H / 2, W / 2, C] each."""
    return state[:, ::2, ::2].relu(), state[:, 1::2, 1::2].relu()


def units_and_norms(
    candidate: Candidate, inner: Tensor, normalisations: TermNormalisations
) -> tuple[list[Unit], list[Normalisation]]:
    """Return the units of convolutions, and the normalisation after each of them.

    Args:
        candidate: candidate whose module is `Convolutions`.
        inner: mean and inverse deviation of the channels between two units, float64 [2, channels].
        normalisations: normalisations of the terms, which are those after the last unit.
    """
    assert isinstance(candidate.module, Convolutions)
    units = candidate.module.chain()
    # A `dil_conv` has one unit, and only the normalisation of its terms.
    mean, inverse = inner[:, candidate.inner]
    norms = [Normalisation(mean, inverse), normalisations.normalisation(candidate)]
    return units, norms[-len(units) :]
