"""The supernet, in which every edge sums all candidate operations with given mixing weights.

It computes the equations of DARTS with less work than one module for each operation and edge:
results that the edges leaving a state have in common are computed once, their convolutions are
stacked, mixing weights are folded into the last normalisation, and `none` is not computed.
`SearchNetwork` provides the mixing weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from ltnas.models.branches import Trunk
from ltnas.models.cell_design import CellDesign
from ltnas.models.executors import CellExecutor, PlainExecutor
from ltnas.models.native_executor import NativeExecutor
from ltnas.models.operations import preprocess_before, preprocess_previous
from ltnas.models.sources import EdgeWeights, MixingWeights
from ltnas.models.statistics import unmoved_statistics
from ltnas.space.edge_masks import Mask, Masks, full_mask
from ltnas.space.layout import STEM_HALVINGS, CellPlan, StateShape, last_state_shapes


class SupernetCell(nn.Module):
    """A cell in which every node sums a mixed operation from every state before it.

    Args:
        plan: width of the cell and of its inputs.
        design: what its edges have.
        mask: candidate operations that each edge has.
    """

    def __init__(self, plan: CellPlan, design: CellDesign, mask: Mask) -> None:
        super().__init__()
        self.preprocess0 = preprocess_before(plan, affine=False)
        self.preprocess1 = preprocess_previous(plan, affine=False)
        sources = design.sources(mask, plan.channels, plan.reduction)
        self.sources = nn.ModuleList(sources)
        width = plan.channels // design.partial_channels
        self.mixing = MixingWeights(sources, design.columns, width)
        # In order of preference.
        self.executors: tuple[CellExecutor, ...] = (
            NativeExecutor(design, sources, plan.channels, plan.reduction),
            PlainExecutor(design, sources, self.mixing, plan.reduction),
        )

    def forward(self, before: Tensor, previous: Tensor, weights: EdgeWeights) -> Tensor:
        """Compute the cell.

        Args:
            before: output of the cell before the previous one, [B, C, H, W].
            previous: output of the previous cell, [B, C', H', W'].
            weights: mixing weights of the edges.

        Returns:
            The concatenated intermediate nodes, [B, nodes * channels, H'', W''].
        """
        first, second = self.preprocess0(before), self.preprocess1(previous)
        # The first executor that supports the input; the plain one supports all.
        executor = next(executor for executor in self.executors if executor.can_run(first))
        return executor.run(first, second, weights)


class Supernet(nn.Module):
    """All architectures of a space in one network, up to its last state (DARTS, section 2.2).

    It is the base of the supernets, which differ in how their cells are put together.

    Args:
        kinds: kinds of cell, each with its own mixing weights.
        design: what the edges of its cells have.
        masks: candidate operations that each edge has, by kind of cell; None: all operations.
        checkpointed: True to compute each cell again in the backward pass instead of keeping its
            activations: less memory for more time.
        branch_depth: 0 or 1 for two branches (see `BranchedModel`), which share one architecture;
            None: one branch.
        stem: `cifar` or `imagenet`.
    """

    macro: ClassVar[str]
    """Name of its value on the macro axis."""
    cells: nn.ModuleList
    """Cells in the order in which they are computed."""
    plans: list[CellPlan]
    """Plan of each cell."""
    rebalancing_cell: SupernetCell | None
    """Last cell of the second branch; None if the branches share the last cell."""
    state_channels: int
    """Channels of the last state."""

    def __init__(
        self,
        kinds: Sequence[str],
        design: CellDesign,
        *,
        masks: Masks | None = None,
        checkpointed: bool = False,
        branch_depth: int | None = None,
        stem: str = "cifar",
    ) -> None:
        super().__init__()
        self.design = design
        self.operation_names, self.nodes = design.operations, design.nodes
        self.branch_depth, self.checkpointed = branch_depth, checkpointed
        self.stem_name = stem
        self.masks = masks or dict.fromkeys(kinds, full_mask(self.nodes, len(design.operations)))
        """Candidate operations that each edge has, by kind of cell."""

    @property
    def kinds(self) -> list[str]:
        """Kind of each cell."""
        return [plan.kind for plan in self.plans]

    def first_side(self, image_size: int) -> int:
        """Return the side of the states behind the stem, pixels, for images of a size."""
        return image_size >> STEM_HALVINGS[self.stem_name]

    def make_cell(self, plan: CellPlan) -> SupernetCell:
        """Build a cell with weights drawn from torch's generator."""
        return SupernetCell(plan, self.design, self.masks[plan.kind])

    def last_cell(self, branch: int) -> SupernetCell:
        """Return the last cell of a branch, which at branch depth 0 is the same for both."""
        cell = (self.rebalancing_cell if branch else None) or self.cells[-1]
        assert isinstance(cell, SupernetCell)
        return cell

    def with_masks(self, masks: Masks) -> Supernet:
        """Return a new supernet of the same size whose edges have the operations of the masks."""
        raise NotImplementedError

    def compilable(self) -> Iterable[nn.Module]:
        """Return the cells, each of which is compiled by itself."""
        return (module for module in self.modules() if isinstance(module, SupernetCell))

    def trunk(self, images: Tensor, mixing: Mapping[str, EdgeWeights]) -> Trunk:
        """Compute what the branches share.

        Args:
            images: [B, 3, H, W].
            mixing: mixing weights of each kind of cell, [edges, columns], or of each cell of the
                kind, [cells, edges, columns].

        Returns:
            What `tail` needs; the last of it is a list of the last state at each resolution of
            the cells but the coarsest, the finest first.
        """
        raise NotImplementedError

    def tail(self, trunk: Trunk, branch: int) -> Tensor:
        """Compute the last state of a branch, [B, state_channels, H', W']."""
        raise NotImplementedError

    @property
    def state_shapes(self) -> list[StateShape]:
        """Shapes of `last_states`."""
        halvings = STEM_HALVINGS[self.stem_name]
        return last_state_shapes(self.plans, self.state_channels, halvings)

    def last_states(self, trunk: Trunk) -> list[Tensor]:
        """Return the last state at each resolution of the cells, the finest first.

        Each is [B, C, H', W'].

        The coarsest is the one that the classifier sees, of the first branch.
        """
        *_, finer = trunk
        return [*finer, self.tail(trunk, 0)]

    def run_cell(
        self, cell: SupernetCell, before: Tensor, previous: Tensor, weights: EdgeWeights
    ) -> Tensor:
        """Compute a cell, and plan to compute it again in the backward pass if that is wanted."""
        out: Tensor
        if self.checkpointed and torch.is_grad_enabled():
            # The second forward pass happens within the backward pass. By then a `functional_call`
            # around the first pass has ended and restored the parameters that it had replaced, and
            # running statistics have been updated once already.
            parameters: dict[str, Tensor] = dict(cell.named_parameters())
            out = checkpoint(
                lambda *inputs: functional_call(cell, parameters, inputs),
                *(before, previous, weights),
                use_reentrant=False,
                preserve_rng_state=False,  # cells draw nothing, and a CUDA graph could not hold it
                context_fn=lambda: (nullcontext(), unmoved_statistics(cell)),
            )
        else:
            out = cell(before, previous, weights)
        return out


def weights_of_cells(kinds: Sequence[str], mixing: Mapping[str, EdgeWeights]) -> list[EdgeWeights]:
    """Return the mixing weights of each cell.

    Args:
        kinds: kind of each cell.
        mixing: mixing weights by kind; see `Supernet.trunk`.
    """
    # The cells of a kind in order, where each has weights of its own.
    own = {
        kind: iter(weights.values) for kind, weights in mixing.items() if weights.values.dim() == 3
    }
    return [EdgeWeights(next(own[kind])) if kind in own else mixing[kind] for kind in kinds]
