"""A supernet's cell by our kernels: forward, and the backward written out.

The outputs of all candidate convolutions are kept without normalisation; normalisations, mixing
weights and sums over edges are one pass over them for each node. Backward, the gradient of a
normalisation is an affine function of its output's gradient and its input, so it too is folded into
the kernels around it. What a convolution sees is made again from what was kept.

Inside, activations are [B, H, W, C] and states are slices of the cell's output. A "term" is what a
candidate operation adds to a node on one edge; the terms of a candidate are numbered in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ltnas.kernels import kernels
from ltnas.kernels.calls import (
    Normalisation,
    Term,
    Upon,
    count_batch,
    mix,
    mix_products,
    moments,
    normalised_backward,
    pixels,
    pool_backward,
    pool_forward,
    rows,
    statistics,
    unit_backward,
    unit_forward,
)
from ltnas.kernels.eligibility import computable, hooked, measures, takes
from ltnas.models.sources import Source
from ltnas.models.stacked import Convolutions, Pool, Reduce, Unit

Pooled = dict[bool, Tensor]
"""Pools of a state: whether of the largest value, and the pool."""


@dataclass(frozen=True)
class Entry:
    """A candidate operation of the edges that leave a state, and where its things are.

    Args:
        candidate: the module.
        state: that its edges leave.
        targets: states that they enter.
        rows: of the mixing weights.
        column: of the mixing weights.
        term: the first of its terms.
        parameter: the first of its parameters.
        kept: the first of the tensors that it keeps.
        inner: where the channels between its two units begin.
    """

    candidate: nn.Module
    state: int
    targets: tuple[int, ...]
    rows: tuple[int, ...]
    column: int
    term: int
    parameter: int
    kept: int
    inner: int

    @property
    def terms(self) -> slice:
        """Of all of the cell's."""
        return slice(self.term, self.term + len(self.targets))

    @property
    def norms(self) -> list[nn.BatchNorm2d]:
        """The candidate's normalisations, in order."""
        match self.candidate:
            case Convolutions():
                return [unit.norm for unit in self.candidate.chain()]
            case Reduce() | Pool():
                return [self.candidate.norm]
        return []

    def keeps(self) -> int:
        """How many tensors. A pool is made again: its output is as large as the state it is of."""
        return 0 if isinstance(self.candidate, Pool) else len(self.norms)

    def inner_channels(self) -> int:
        """Between two units."""
        return sum(norm.num_features for norm in self.norms[:-1])

    def parameters(self) -> list[nn.Parameter]:
        """The candidate's, in the order in which kernels take them."""
        if isinstance(self.candidate, Convolutions):
            units = self.candidate.chain()
            return [weight for unit in units for weight in (unit.depthwise, unit.pointwise)]
        if isinstance(self.candidate, Reduce):
            return [self.candidate.conv_1, self.candidate.conv_2]
        return []


class Flow:
    """All entries of a cell, and which terms enter which state."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.entries: list[Entry] = []
        self.terms = self.kept = self.inner = parameter = 0
        for source in sources:
            for name, candidate in source.candidates.items():
                targets, rows = source.targets[name], tuple(source.rows[name])
                where = self.terms, parameter, self.kept, self.inner
                entry = Entry(candidate, source.state, targets, rows, source.columns[name], *where)
                self.entries.append(entry)
                self.terms += len(targets)
                self.kept += entry.keeps()
                self.inner += entry.inner_channels()
                parameter += len(entry.parameters())
        self.rows = [row for entry in self.entries for row in entry.rows]
        self.columns = [entry.column for entry in self.entries for _ in entry.rows]
        self.targets = [target for entry in self.entries for target in entry.targets]

    def leaving(self, state: int) -> list[Entry]:
        """Entries of the edges that leave a state."""
        return [entry for entry in self.entries if entry.state == state]

    def entering(self, state: int) -> list[int]:
        """Terms of the edges that enter a state."""
        return [term for term, target in enumerate(self.targets) if target == state]

    def parameters(self) -> list[nn.Parameter]:
        """Of all entries."""
        return [parameter for entry in self.entries for parameter in entry.parameters()]

    def norms(self) -> list[nn.BatchNorm2d]:
        """Of all entries."""
        return [norm for entry in self.entries for norm in entry.norms]


class NativeExecutor:
    """Computes a cell by the CPU kernels; see `CellExecutor`.

    Args:
        sources: edges that leave each state, in the order of the states.
        nodes: number of intermediate nodes.
        channels: channels of each state.
        reduction: True for a reduction cell.
    """

    def __init__(
        self, sources: Sequence[Source], nodes: int, channels: int, reduction: bool
    ) -> None:
        self.sources, self.nodes = sources, nodes
        self.channels, self.reduction = channels, reduction
        self.flow = Flow(sources)

    def can_run(self, first: Tensor) -> bool:
        """Return True if there are kernels, and they compute what the modules would."""
        if not takes(first) or kernels() is None:
            return False
        if self.reduction and (first.shape[2] % 2 or first.shape[3] % 2):
            return False
        return not any(map(hooked, self.sources)) and all(map(computable, self.flow.norms()))

    def run(self, first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
        """See `CellExecutor.run`."""
        out: Tensor = _Cell.apply(self, first, second, weights, *self.flow.parameters())
        count_batch(self.flow.norms())
        return out


class _Cell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        cell: NativeExecutor,
        first: Tensor,
        second: Tensor,
        weights: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        inputs = [rows(first), rows(second)]
        out, kept = forward(cell, inputs, weights, [p.contiguous() for p in parameters])
        ctx.cell, ctx.count = cell, len(parameters)
        result = out.permute(0, 3, 1, 2)
        ctx.save_for_backward(*inputs, weights, result, *parameters, *kept)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        first, second, weights, out, *rest = ctx.saved_tensors
        parameters, kept = rest[: ctx.count], rest[ctx.count :]
        upon = gradients[0].permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)
        inputs, of_weights, of_parameters = backward(
            *(ctx.cell, [first, second], out.permute(0, 2, 3, 1), weights),
            *([p.contiguous() for p in parameters], kept, upon),
            wanted=ctx.needs_input_grad[1:3],
            learns=any(ctx.needs_input_grad[4:]),
        )
        found = (None if x is None else x.permute(0, 3, 1, 2) for x in inputs)
        return (None, *found, of_weights, *of_parameters)


class _Terms:
    """Scale, mean and inverse of every term, float64 [terms, C]; those of skips stay 0 and 1."""

    def __init__(self, flow: Flow, weights: Tensor, channels: int) -> None:
        self.flow, self.channels = flow, channels
        mixing = weights.detach()[flow.rows, flow.columns].double()
        self.scale = mixing[:, None].expand(-1, channels).contiguous()
        self.mean, self.inverse = torch.zeros_like(self.scale), torch.ones_like(self.scale)
        self._rows: list[tuple[Tensor, ...]] = []

    def normalisation(self, entry: Entry) -> Normalisation:
        """Of an entry's terms, [terms, C]."""
        return Normalisation(*(x[entry.terms] for x in (self.mean, self.inverse, self.scale)))

    def of(self, state: int, sources: Sequence[Tensor]) -> list[Term]:
        """Those that enter a state."""
        rows = self._rows = self._rows or [
            x.unbind(0) for x in (self.scale, self.mean, self.inverse)
        ]
        return [Term(sources[i], *(x[i] for x in rows)) for i in self.flow.entering(state)]


def forward(
    cell: NativeExecutor, inputs: list[Tensor], weights: Tensor, parameters: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """A cell.

    Args:
        cell: for its modules.
        inputs: both states, [B, H, W, C].
        weights: mixing weights [edges, operations].
        parameters: as `Flow.parameters`.

    Returns:
        The output [B, H', W', nodes * C]; and what backward needs.
    """
    flow, channels, count = cell.flow, cell.channels, cell.nodes + 2
    step = 2 if cell.reduction else 1
    batch, height, width = inputs[0].shape[:3]
    out = inputs[0].new_empty(batch, height // step, width // step, cell.nodes * channels)
    states = [*inputs, *out.split(channels, dim=3)]
    terms, sources = _Terms(flow, weights, channels), _Sources(flow)
    inner = torch.empty(2, flow.inner, dtype=torch.float64)
    kept: list[Tensor] = []
    for number in range(count):
        if number >= 2:
            _mix(terms, number, sources.values, states[number])
        pooled = _pools(flow.leaving(number), states[number])
        for entry in flow.leaving(number):
            own = list(parameters[entry.parameter :])
            match entry.candidate:
                case Convolutions():
                    kept += _convolutions(entry, states[number], own, inner, terms)
                case Reduce():
                    kept += _reduce(entry, states[number], own, terms)
                case Pool() as pool:
                    _pool(entry, pooled[pool.largest], terms)
            sources.add(entry, states, kept, pooled)
    return out, [terms.mean, terms.inverse, inner, *kept]


def _pools(leaving: Sequence[Entry], state: Tensor) -> Pooled:
    """Pools of a state, if an edge that leaves it has one."""
    for entry in leaving:
        if isinstance(entry.candidate, Pool):
            largest, mean = pool_forward(state, entry.candidate.stride)
            return {True: largest, False: mean}
    return {}


class _Sources:
    """The tensor of every term, as far as it is known."""

    def __init__(self, flow: Flow) -> None:
        self.values: list[Tensor] = []
        self.flow = flow

    def add(
        self, entry: Entry, states: Sequence[Tensor], kept: Sequence[Tensor], pooled: Pooled
    ) -> None:
        """Those of the next entry: slices of the last tensor that it keeps, a pool or the state."""
        edges = len(entry.targets)
        match entry.candidate:
            case nn.Identity():
                self.values += [states[entry.state]] * edges
            case Pool() as pool:
                self.values += [pooled[pool.largest]] * edges
            case _:
                self.values += kept[entry.kept + entry.keeps() - 1].unbind(0)


def _mix(terms: _Terms, number: int, sources: Sequence[Tensor], out: Tensor) -> None:
    found = terms.of(number, sources)
    if found:
        mix(found, out, add=False)
    else:
        out.zero_()


def _convolutions(
    entry: Entry, state: Tensor, parameters: list[Tensor], inner: Tensor, terms: _Terms
) -> list[Tensor]:
    x, before, kept = state, None, []
    for unit, norms in zip(*_units(entry, inner, terms), strict=True):
        depthwise, pointwise, *parameters = parameters
        measure = measures(unit.norm)
        x, sums = unit_forward(unit.geometry, x, before, depthwise, pointwise, measure)
        statistics(unit.norm, sums, pixels(x), norms)
        before = norms
        kept.append(x)
    return kept


def _units(entry: Entry, inner: Tensor, terms: _Terms) -> tuple[list[Unit], list[Normalisation]]:
    """Units of an entry, and where the normalisations after each are."""
    assert isinstance(entry.candidate, Convolutions)
    units = entry.candidate.chain()
    first = inner[:, entry.inner : entry.inner + entry.inner_channels()]
    return units, [Normalisation(first[0], first[1]), terms.normalisation(entry)][-len(units) :]


def _halves(state: Tensor) -> tuple[Tensor, Tensor]:
    """What the two convolutions of `Reduce` see."""
    return state[:, ::2, ::2].relu(), state[:, 1::2, 1::2].relu()


def _reduce(entry: Entry, state: Tensor, parameters: list[Tensor], terms: _Terms) -> list[Tensor]:
    halves, layer = _halves(state), entry.norms[0]
    firsts = (
        x.flatten(0, 2) @ p.view(len(entry.targets), -1, p.shape[1]).mT
        for x, p in zip(halves, parameters, strict=False)
    )
    y = torch.cat(list(firsts), dim=2).view(len(entry.targets), *halves[0].shape[:3], -1)
    sums = None
    if measures(layer):
        sums = torch.stack([moments(part) for part in y], dim=1).flatten(1)
    statistics(layer, sums, pixels(y), terms.normalisation(entry))
    return [y]


def _pool(entry: Entry, y: Tensor, terms: _Terms) -> None:
    layer, to = entry.norms[0], terms.normalisation(entry)
    sums = moments(y) if measures(layer) else None
    statistics(layer, sums, pixels(y), Normalisation(to.mean[0], to.inverse[0]))
    to.mean[1:], to.inverse[1:] = to.mean[0], to.inverse[0]


def backward(
    cell: NativeExecutor,
    inputs: list[Tensor],
    out: Tensor,
    weights: Tensor,
    parameters: Sequence[Tensor],
    kept: Sequence[Tensor],
    upon: Tensor,
    wanted: Sequence[bool],
    learns: bool,
) -> tuple[list[Tensor | None], Tensor, list[Tensor | None]]:
    """Gradients of a cell.

    Args:
        cell: see `forward`, as for the next.
        inputs: both states.
        out: the output.
        weights: mixing weights.
        parameters: of all entries.
        kept: what forward returned.
        upon: the gradient of the output, which becomes that of the nodes.
        wanted: whether each input's gradient is.
        learns: whether the parameters' gradients are wanted.

    Returns:
        Gradients of the inputs, of the mixing weights and of the parameters.
    """
    flow, channels = cell.flow, cell.channels
    terms = _Terms(flow, weights, channels)
    terms.mean, terms.inverse, inner, *kept = kept
    states = [*inputs, *out.split(channels, dim=3)]
    pools = [_pools(flow.leaving(number), state) for number, state in enumerate(states)]
    sources = _Sources(flow)
    for entry in flow.entries:
        sources.add(entry, states, kept, pools[entry.state])
    g = [*map(torch.zeros_like, inputs), *upon.split(channels, dim=3)]
    sums = torch.zeros(flow.terms, 2, channels, dtype=torch.float64)
    gradients: list[Tensor | None] = [None] * len(parameters)
    for number in reversed(range(len(states))):
        pooled: Pooled = {}
        needed = learns or number >= 2 or wanted[number]
        for entry in flow.leaving(number) if needed else []:
            back = _Back(entry, [g[i] for i in entry.targets], terms, sums[entry.terms], learns)
            own = slice(entry.parameter, entry.parameter + len(entry.parameters()))
            tape = kept[entry.kept : entry.kept + entry.keeps()]
            match entry.candidate:
                case Convolutions():
                    gradients[own] = back.convolutions(
                        states[number], parameters[own], tape, inner, g[number]
                    )
                case Reduce():
                    gradients[own] = back.reduce(states[number], parameters[own], tape, g[number])
                case Pool() as pool:
                    pooled[pool.largest] = back.pool(pools[number][pool.largest])
                case nn.Identity():
                    back.identity(g[number])
        if pooled:
            stride = 2 if cell.reduction and number < 2 else 1
            both = (pooled.get(largest) for largest in (True, False))
            nothing = torch.zeros_like(next(iter(pooled.values())))
            largest, mean = (nothing if x is None else x for x in both)
            pool_backward(states[number], stride, largest, mean, g[number])
        entering = flow.entering(number)
        if entering:
            into = sums.unbind(0)
            mix_products(
                g[number], terms.of(number, sources.values), [into[term] for term in entering]
            )
    of_weights = torch.zeros_like(weights)
    of_weights[flow.rows, flow.columns] = sums[:, 1].sum(1).to(weights.dtype)
    return [x if want else None for x, want in zip(g, wanted, strict=False)], of_weights, gradients


class _Back:
    """Back through the terms of an entry.

    Args:
        entry: that was passed.
        g: gradients of the states that it entered.
        terms: of the cell.
        sums: `Upon.sums` of its terms.
        learns: whether its parameters' gradients are wanted.
    """

    def __init__(
        self, entry: Entry, g: list[Tensor], terms: _Terms, sums: Tensor, learns: bool
    ) -> None:
        self.entry, self.g, self.terms, self.sums, self.learns = entry, g, terms, sums, learns

    def convolutions(
        self,
        state: Tensor,
        parameters: Sequence[Tensor],
        kept: Sequence[Tensor],
        inner: Tensor,
        gx: Tensor,
    ) -> list[Tensor | None]:
        """To `gx`; the parameters' gradients."""
        units, norms = _units(self.entry, inner, self.terms)
        upon = Upon(self.g, kept[-1], norms[-1], self.sums)
        gradients: list[Tensor | None] = []
        for index in reversed(range(len(units))):
            depthwise, pointwise = parameters[2 * index : 2 * index + 2]
            x = kept[index - 1] if index else state
            before = norms[index - 1] if index else None
            to = torch.empty_like(x) if index else gx
            geometry = units[index].geometry
            found = unit_backward(geometry, x, before, depthwise, pointwise, upon, to, self.learns)
            gradients = [found.depthwise, found.pointwise, *gradients]
            if before is not None and found.sums is not None:
                upon = Upon(to.unbind(0), x, before, found.sums)
        return gradients

    def reduce(
        self, state: Tensor, parameters: Sequence[Tensor], kept: Sequence[Tensor], gx: Tensor
    ) -> list[Tensor | None]:
        """To `gx`; the parameters' gradients."""
        gp = torch.empty_like(kept[0])
        parts = zip(kept[0].unbind(0), gp.unbind(0), strict=True)
        mean, inverse, scale, _ = self.terms.normalisation(self.entry)
        assert scale is not None
        for edge, (p, to) in enumerate(parts):
            norm = Normalisation(mean[edge], inverse[edge], scale[edge])
            upon = Upon([self.g[edge]], p, norm, self.sums[edge])
            normalised_backward(upon, to)
        gradients: list[Tensor | None] = []
        halves = gp.flatten(1, 3).chunk(2, dim=2)
        seen = zip(_halves(state), halves, parameters, strict=True)
        for offset, (x, half, weight) in enumerate(seen):
            own = weight.view(len(self.g), -1, weight.shape[1])
            of_x = torch.bmm(half, own).sum(0).view(x.shape)
            gx[:, offset::2, offset::2] += of_x * (x > 0)
            of_weight = (half.mT @ x.flatten(0, 2)).view_as(weight) if self.learns else None
            gradients.append(of_weight)
        return gradients

    def pool(self, y: Tensor) -> Tensor:
        """The gradient of the pool's output `y`."""
        mean, inverse, scale, _ = self.terms.normalisation(self.entry)
        out = torch.empty_like(y)
        upon = Upon(self.g, y, Normalisation(mean[0], inverse[0], scale), self.sums)
        normalised_backward(upon, out)
        return out

    def identity(self, gx: Tensor) -> None:
        """To `gx`."""
        nothing, one, scale, _ = self.terms.normalisation(self.entry)
        assert scale is not None
        rows = (x.unbind(0) for x in (scale, nothing, one))
        mix(list(map(Term, self.g, *rows)), gx, add=True)
