"""The supernet: every edge holds every candidate operation, mixed by the architecture.

Computes what the plain form does (one module an operation and edge, as DARTS' equations are
written), with less work: what the edges that leave a state share is computed once, their
convolutions are stacked, mixing weights are folded into the last normalisation, and `none` is
not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from ltnas.models.branches import BranchedModel
from ltnas.models.cell_kernels import Flow, run_cell, runs_natively
from ltnas.models.classifiers import MakeClassifier
from ltnas.models.operations import preprocess_before, preprocess_previous
from ltnas.models.stacked import Convolutions, Pool, Reduce
from ltnas.models.statistics import unmoved_statistics
from ltnas.space.layout import KINDS, CellPlan, cell_plans, edges, kind

Relax = Callable[[Tensor], Tensor]
Mask = tuple[tuple[bool, ...], ...]
"""Which candidate operations [edges][operations] there are; the others are not computed."""
ARCHITECTURE = "architecture."
"""What the names of architecture parameters begin with."""
Terms = list[tuple[int, Tensor, Tensor | None]]
"""What flows into nodes: the node, [B, C, H, W], and a weight that it is still to be given."""


class Source(nn.Module):
    """All edges that leave a state.

    Args:
        state: its number in the cell; 0 and 1 are the cell's inputs.
        nodes: intermediate nodes of the cell.
        operations: candidate operations, in the order of the mixing weights' columns.
        mask: which of them an edge has.
        channels: of the state.
        stride: of the edges.
    """

    def __init__(
        self,
        state: int,
        nodes: int,
        operations: list[str],
        mask: Mask,
        channels: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.state, self.channels, self.stride = state, channels, stride
        leaving = [
            (row, node) for row, (node, source) in enumerate(edges(nodes)) if source == state
        ]
        self.columns: dict[str, int] = {}
        self.targets: dict[str, tuple[int, ...]] = {}
        self.rows: dict[str, list[int]] = {}
        self.candidates = nn.ModuleDict()
        for column, name in enumerate(operations):
            found = [(row, node) for row, node in leaving if mask[row][column]]
            if name == "none" or not found:
                continue
            self.columns[name] = column
            self.rows[name] = [row for row, _ in found]
            self.targets[name] = tuple(node for _, node in found)
            self.candidates[name] = _candidate(name, len(found), channels, stride)

    def weights(self, name: str, weights: Tensor) -> tuple[Tensor, ...]:
        """Of mixing weights [edges, operations], those of an operation, one an edge."""
        column = weights[:, self.columns[name]].unbind(0)
        return tuple(column[row] for row in self.rows[name])

    def forward(self, state: Tensor, weights: Tensor) -> Terms:
        """A state [B, C, H, W] and mixing weights [edges, operations] to what leaves it."""
        rectified = F.relu(state)
        repeated: dict[int, Tensor] = {}
        stacked: dict[tuple[int, ...], Tensor] = {}
        terms: Terms = []
        for name, candidate in self.candidates.items():
            targets, own = self.targets[name], self.weights(name, weights)
            if isinstance(candidate, Pool | nn.Identity):
                value = candidate(state)
                terms += [(node, value, w) for node, w in zip(targets, own, strict=True)]
                continue
            scale = torch.stack(own).repeat_interleave(self.channels)
            count = len(targets)
            if isinstance(candidate, Convolutions) and count not in repeated:
                repeated[count] = torch.cat([rectified] * count, 1) if count > 1 else rectified
            reduces = isinstance(candidate, Reduce)
            value = candidate(rectified if reduces else repeated[count], scale)
            stacked[targets] = stacked[targets].add_(value) if targets in stacked else value
        for targets, value in stacked.items():
            parts = value.split(self.channels, 1)
            terms += [(node, part, None) for node, part in zip(targets, parts, strict=True)]
        return terms


def _candidate(name: str, edges: int, channels: int, stride: int) -> nn.Module:
    match name:
        case "max_pool_3x3" | "avg_pool_3x3":
            return Pool(name, channels, stride)
        case "skip_connect":
            return nn.Identity() if stride == 1 else Reduce(edges, channels)
        case _:
            return Convolutions(name, edges, channels, stride)


class SupernetCell(nn.Module):
    """A cell in which every node sums a mixed operation from every state before it."""

    def __init__(self, plan: CellPlan, operations: list[str], nodes: int, mask: Mask) -> None:
        super().__init__()
        self.nodes, self.channels, self.reduction = nodes, plan.channels, plan.reduction
        self.preprocess0 = preprocess_before(plan, affine=False)
        self.preprocess1 = preprocess_previous(plan, affine=False)
        self.sources = nn.ModuleList(
            Source(
                state,
                nodes,
                operations,
                mask,
                plan.channels,
                2 if plan.reduction and state < 2 else 1,
            )
            for state in range(nodes + 1)
        )
        self.flow = Flow([source for source in self.sources if isinstance(source, Source)])

    def forward(self, before: Tensor, previous: Tensor, weights: Tensor) -> Tensor:
        """Two states and mixing weights [edges, operations] to [B, nodes * C, H', W']."""
        states = [self.preprocess0(before), self.preprocess1(previous)]
        if runs_natively(self, states[0]):
            return run_cell(self, states[0], states[1], weights)
        sums: dict[int, Tensor] = {}
        for state, source in enumerate(self.sources):
            if state >= 2:
                states.append(sums[state] if state in sums else self._nothing(states[0]))
            for node, term, weight in source(states[state], weights):
                if node not in sums:
                    sums[node] = term if weight is None else term * weight.to(term.dtype)
                elif weight is None:
                    sums[node] = sums[node] + term
                else:
                    sums[node] = torch.addcmul(sums[node], term, weight.to(term.dtype))
        last = self.nodes + 1
        states.append(sums[last] if last in sums else self._nothing(states[0]))
        return torch.cat(states[2:], dim=1)

    def _nothing(self, state: Tensor) -> Tensor:
        """A node that no operation leads to."""
        stride = 2 if self.reduction else 1
        return torch.zeros_like(state[:, :, ::stride, ::stride])


class Supernet(BranchedModel):
    """All architectures of the space in one network (DARTS, section 2.2).

    Args:
        operations: candidate operations of each edge.
        nodes: intermediate nodes of a cell.
        channels: of the first cell.
        cells: in the stack.
        classes: of the classifier.
        relax: architecture parameters [edges, operations] to mixing weights of that shape.
        initial_deviation: of the normal distribution that architecture parameters start from.
        masks: for each kind of cell, which operations its edges have; all, if left out.
        checkpointed: whether backward computes each cell again instead of keeping what is inside:
            less memory for more time.
        classifier: makes one from the size of features and the number of classes.
        branch_depth: of two branches, 0 or 1; None: one branch. Both have one architecture.
    """

    def __init__(
        self,
        operations: list[str],
        nodes: int,
        channels: int,
        cells: int,
        classes: int,
        relax: Relax,
        initial_deviation: float,
        masks: dict[str, Mask] | None = None,
        checkpointed: bool = False,
        classifier: MakeClassifier = nn.Linear,
        branch_depth: int | None = None,
    ) -> None:
        super().__init__()
        self.branch_depth = branch_depth
        self.operation_names, self.nodes, self.relax = tuple(operations), nodes, relax
        self.checkpointed = checkpointed
        everything = ((True,) * len(operations),) * len(edges(nodes))
        masks = masks or dict.fromkeys(KINDS, everything)
        stem = 3 * channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)
        )
        plans = cell_plans(channels, cells, dict.fromkeys(KINDS, nodes), stem, stem)

        def make(plan: CellPlan) -> SupernetCell:
            return SupernetCell(plan, operations, nodes, masks[kind(plan.reduction)])

        self.cells = nn.ModuleList(make(plan) for plan in plans)
        self.rebalancing_cell = make(plans[-1]) if branch_depth == 1 else None
        self.kinds = [kind(plan.reduction) for plan in plans]
        self.feature_size = plans[-1].channels * nodes * self.branches
        self.classifier = classifier(self.feature_size, classes)
        shape = len(edges(nodes)), len(operations)
        self.architecture = nn.ParameterDict(
            {name: nn.Parameter(initial_deviation * torch.randn(shape)) for name in KINDS}
        )

    def architecture_parameters(self) -> dict[str, Tensor]:
        """`normal` and `reduce`, each [edges, operations]."""
        return dict(self.architecture.items())

    def weight_parameters(self) -> dict[str, nn.Parameter]:
        """All parameters but the architecture's, by name."""
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if not name.startswith(ARCHITECTURE)
        }

    def mixing_weights(self) -> dict[str, Tensor]:
        """Relaxed architecture parameters of each kind of cell, [edges, operations]."""
        return {
            name: self.relax(parameters)
            for name, parameters in self.architecture_parameters().items()
        }

    def compilable(self) -> Iterable[nn.Module]:
        """The cells."""
        return (module for module in self.modules() if isinstance(module, SupernetCell))

    def trunk(self, images: Tensor) -> tuple[Tensor, ...]:
        """The last two states before the last cell, and its mixing weights."""
        weights = self.mixing_weights()
        before = previous = self.stem(images)
        for name, cell in list(zip(self.kinds, self.cells, strict=True))[:-1]:
            assert isinstance(cell, SupernetCell)
            before, previous = previous, self._cell(cell, before, previous, weights[name])
        return before, previous, weights[self.kinds[-1]]

    def tail(self, trunk: tuple[Tensor, ...], branch: int) -> Tensor:
        """The last cell."""
        own = self.rebalancing_cell if branch else None
        cell = own or self.cells[-1]
        assert isinstance(cell, SupernetCell)
        return self._cell(cell, *trunk)

    def _cell(
        self, cell: SupernetCell, before: Tensor, previous: Tensor, weights: Tensor
    ) -> Tensor:
        out: Tensor
        if self.checkpointed and torch.is_grad_enabled():
            # The second time is within backward, when `functional_call` has put back what it
            # replaced, and statistics have moved.
            parameters: dict[str, Tensor] = dict(cell.named_parameters())
            out = checkpoint(
                lambda *inputs: functional_call(cell, parameters, inputs),
                *(before, previous, weights),
                use_reentrant=False,
                context_fn=lambda: (nullcontext(), unmoved_statistics(cell)),
            )
        else:
            out = cell(before, previous, weights)
        return out
