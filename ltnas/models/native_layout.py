"""Positions of a cell's candidate operations, terms and saved tensors for the CPU kernels.

A term is what a candidate operation adds to a node on one edge. The terms of all edges of a
candidate have consecutive numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ltnas.models.cell_design import CellDesign
from ltnas.models.skip_dropout import DroppedSkip
from ltnas.models.sources import Source
from ltnas.models.stacked import Convolutions, EdgeNoise, Pool, Reduce
from ltnas.space.layout import edges


@dataclass(frozen=True)
class Candidate:
    """A candidate operation on edges that leave one state, and the positions of its tensors.

    Args:
        module: module of the operation, which computes all of its edges.
        state: number of the state that the edges leave.
        targets: numbers of the states that the edges enter.
        rows: rows of the mixing weights, one for each edge.
        column: column of the mixing weights.
        terms: positions of its terms among the terms of the cell.
        parameters: positions of its parameters among the parameters of the cell.
        saved: positions of its tensors among those saved for the backward pass.
        inner: positions of its channels among the channels between two units.
    """

    module: nn.Module
    state: int
    targets: tuple[int, ...]
    rows: tuple[int, ...]
    column: int
    terms: slice
    parameters: slice
    saved: slice
    inner: slice


def module_norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    """Return the normalisations of a candidate's module, in order.

    Raises:
        TypeError: the module is not a candidate operation.
    """
    match module:
        case Convolutions():
            # The last one normalises the terms, the one before it the channels between two units.
            return [unit.norm for unit in module.chain()]
        case Reduce() | Pool():
            return [module.norm]
        case nn.Identity() | DroppedSkip() | EdgeNoise():
            return []
        case _:
            raise TypeError(f"{module} is not a candidate operation of a supernet")


def module_weights(module: nn.Module, size: Sequence[int]) -> list[Tensor]:
    """Return the weights of a candidate's module in the order in which kernels take them.

    Args:
        module: module of the candidate.
        size: height and width of its input, pixels.
    """
    if isinstance(module, Convolutions):
        return module.weights(size)
    return module.weights() if isinstance(module, Reduce) else []


def _saved_count(module: nn.Module, norms: int) -> int:
    """Return the number of tensors that a candidate saves for the backward pass."""
    match module:
        case Pool():
            # Computed again in the backward pass: its output is as large as its state.
            return 0
        case DroppedSkip():
            return 1  # what was drawn
        case _:
            return norms  # the output of each unit


def _after(previous: slice, count: int) -> slice:
    """Return the next `count` positions."""
    return slice(previous.stop, previous.stop + count)


class CellLayout:
    """All candidates of a cell in the order of their states, and the terms of each node.

    Args:
        design: what the edges have.
        sources: edges of the cell, in the order of the states that they leave.
        channels: channels of each state.
        reduction: True for a reduction cell.
        executed: see `EdgeWeights`; None: all candidates.
    """

    def __init__(
        self,
        design: CellDesign,
        sources: Sequence[Source],
        channels: int,
        reduction: bool,
        executed: Sequence[int] | None = None,
    ) -> None:
        self.nodes, self.reduction = design.nodes, reduction
        self.state_channels = channels
        """Channels of each state."""
        self.channels = channels // design.partial_channels
        """Channels of each state that the candidates see; the others bypass them."""
        self.candidates: list[Candidate] = []
        # Positions of the previous candidate's tensors in flat lists, because an autograd function
        # takes and saves tensors in one sequence.
        terms = parameters = saved = inner = slice(0, 0)
        for source in sources:
            for name in source.running(executed):
                module = source.candidates[name]
                norms = module_norms(module)
                saved_count = _saved_count(module, len(norms))
                terms = _after(terms, len(source.targets[name]))
                parameters = _after(parameters, len(list(module.parameters())))
                saved = _after(saved, saved_count)
                inner = _after(inner, sum(norm.num_features for norm in norms[:-1]))
                candidate = Candidate(
                    module=module,
                    state=source.state,
                    targets=source.targets[name],
                    rows=tuple(source.rows[name]),
                    column=source.columns[name],
                    terms=terms,
                    parameters=parameters,
                    saved=saved,
                    inner=inner,
                )
                self.candidates.append(candidate)
        self.draws = any(isinstance(c.module, EdgeNoise) for c in self.candidates)
        """True if a candidate's output is random numbers, for which there are no kernels."""
        self.term_count: int = terms.stop
        self.inner_channels: int = inner.stop
        # Place of each term in the matrix of mixing weights, and the state that it enters.
        self.rows = [row for candidate in self.candidates for row in candidate.rows]
        self.columns = [c.column for c in self.candidates for _ in c.rows]
        self.targets = [target for candidate in self.candidates for target in candidate.targets]

    def leaving(self, state: int) -> list[Candidate]:
        """Return the candidates of the edges that leave a state."""
        return [candidate for candidate in self.candidates if candidate.state == state]

    def entering(self, state: int) -> list[int]:
        """Return the numbers of the terms that enter a state."""
        return [term for term, target in enumerate(self.targets) if target == state]

    @property
    def bypassed(self) -> bool:
        """True if there are channels that bypass the candidates."""
        return self.channels < self.state_channels

    def edges_into(self, number: int) -> list[tuple[int, int]]:
        """Return row and state of each edge that enters a state."""
        layout = enumerate(edges(self.nodes))
        return [(row, state) for row, (node, state) in layout if node == number]

    def edges_out_of(self, number: int) -> list[tuple[int, int]]:
        """Return row and node of each edge that leaves a state."""
        layout = enumerate(edges(self.nodes))
        return [(row, node) for row, (node, state) in layout if state == number]

    def stride(self, state: int) -> int:
        """Return the stride of the edges that leave a state."""
        return 2 if self.reduction and state < 2 else 1

    def weights(self, size: Sequence[int]) -> list[Tensor]:
        """Return the weights of all candidates.

        Args:
            size: height and width of the cell's inputs, pixels.
        """
        half = [length // 2 for length in size]  # of the nodes of a reduction cell
        return [
            weight
            for c in self.candidates
            for weight in module_weights(c.module, half if self.reduction and c.state > 1 else size)
        ]

    def norms(self) -> list[nn.BatchNorm2d]:
        """Return the normalisations of all candidates."""
        return [norm for candidate in self.candidates for norm in module_norms(candidate.module)]
