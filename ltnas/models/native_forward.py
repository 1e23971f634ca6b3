"""Forward pass of a supernet's cell by the CPU kernels.

Outputs of candidate convolutions are saved without normalisation. Normalisations, mixing weights
and the sum over edges are one pass over those outputs for each node.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ltnas.kernels.calls import pixels
from ltnas.kernels.convolutions import unit_forward
from ltnas.kernels.eligibility import measures
from ltnas.kernels.normalisation import Normalisation, mix, moments, statistics
from ltnas.models.native_bypass import NativeBypass
from ltnas.models.native_layout import Candidate, CellLayout, module_norms
from ltnas.models.native_terms import (
    TermNormalisations,
    TermSources,
    compute_pools,
    reduce_inputs,
    units_and_norms,
)
from ltnas.models.skip_dropout import DroppedSkip
from ltnas.models.stacked import Convolutions, Pool, Reduce


def forward(
    layout: CellLayout, inputs: list[Tensor], weights: Tensor, parameters: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Compute a cell.

    Args:
        layout: layout of the cell.
        inputs: the two input states, [B, H, W, C] each.
        weights: mixing weights, [edges, columns].
        parameters: contiguous parameters in the order of `CellLayout.parameters`.

    Returns:
        The concatenated nodes, [B, H', W', nodes * C], and the tensors that `backward` needs.
    """
    # [B, H, W, C] inputs and one [B, H', W', nodes * C] output for all nodes.
    step = 2 if layout.reduction else 1
    batch, height, width = inputs[0].shape[:3]
    out_channels = layout.nodes * layout.state_channels
    out = inputs[0].new_empty(batch, height // step, width // step, out_channels)
    # Nodes are slices of the output, so that nothing is concatenated.
    whole = [*inputs, *out.split(layout.state_channels, dim=3)]
    # The channels that candidates see; the others bypass them.
    states = [state[..., : layout.channels] for state in whole]
    bypass = NativeBypass(layout, weights, whole) if layout.bypassed else None
    normalisations, sources = TermNormalisations(layout, weights), TermSources()
    # Mean and inverse deviation of the channels between the two units of each `sep_conv`.
    inner = torch.empty(2, layout.inner_channels, dtype=torch.float64)
    saved: list[Tensor] = []
    for number, state in enumerate(states):
        # All edges into a state come from earlier ones, so its terms are complete.
        if number >= 2 and bypass is None:
            _sum_terms(normalisations, sources, number, state)
        elif number >= 2 and bypass is not None:
            computed = torch.empty(state.shape, dtype=state.dtype)
            _sum_terms(normalisations, sources, number, computed)
            bypass.join(number, computed)
        leaving = layout.leaving(number)
        pools = compute_pools(leaving, state)
        for candidate in leaving:
            own_parameters = parameters[candidate.parameters]
            match candidate.module:
                case Convolutions():
                    saved += _convolutions(
                        candidate=candidate,
                        state=state,
                        parameters=own_parameters,
                        inner=inner,
                        normalisations=normalisations,
                    )
                case Reduce():
                    saved += _reduce(candidate, state, own_parameters, normalisations)
                case DroppedSkip() as skip:
                    saved.append(_draw(skip, len(candidate.targets), state))
                case Pool() as pool:
                    _measure_pool(candidate, pools[pool.kind], normalisations)
            sources.add(candidate, states, saved, pools)
    return out, [normalisations.mean, normalisations.inverse, inner, *saved]


def _sum_terms(
    normalisations: TermNormalisations, sources: TermSources, number: int, node: Tensor
) -> None:
    """Write the sum of the terms that enter a node to its slice of the output, [B, H, W, C]."""
    terms = normalisations.terms_into(number, sources.values)
    if terms:
        mix(terms, node, add=False)
    else:
        node.zero_()


def _convolutions(
    candidate: Candidate,
    state: Tensor,
    parameters: Sequence[Tensor],
    inner: Tensor,
    normalisations: TermNormalisations,
) -> list[Tensor]:
    """Return the output of each unit before its normalisation, [edges, B, H', W', C]."""
    outputs: list[Tensor] = []
    # The first unit reads the state, [B, H, W, C]; the second one the output of the first, [edges,
    # B, H', W', C], which it normalises while it reads.
    x, before = state, None
    units, norms = units_and_norms(candidate, inner, normalisations)
    for index, (unit, normalisation) in enumerate(zip(units, norms, strict=True)):
        # Two weights for each unit: [edges * C, 1, k, k] and [edges * C, C, 1, 1].
        depthwise, pointwise = parameters[2 * index : 2 * index + 2]
        measure = measures(unit.norm)
        x, sums = unit_forward(
            geometry=unit.geometry,
            x=x,
            before=before,
            depthwise=depthwise,
            pointwise=pointwise,
            measure=measure,
        )
        # Writes into the rows of `normalisations`, or of `inner` between two units.
        statistics(unit.norm, sums, pixels(x), normalisation)
        before = normalisation
        outputs.append(x)
    return outputs


def _reduce(
    candidate: Candidate,
    state: Tensor,
    parameters: Sequence[Tensor],
    normalisations: TermNormalisations,
) -> list[Tensor]:
    """Return the output of `Reduce` before its normalisation, [edges, B, H / 2, W / 2, C]."""
    edges, layer = len(candidate.targets), module_norms(candidate.module)[0]
    inputs = reduce_inputs(state)
    halves = [
        x.flatten(0, 2) @ weight.view(edges, -1, weight.shape[1]).mT  # [edges, pixels, C / 2]
        for x, weight in zip(inputs, parameters, strict=True)
    ]
    y = torch.cat(halves, dim=2).view(edges, *inputs[0].shape[:3], -1)  # [edges, B, H', W', C]
    sums = None
    if measures(layer):
        sums = torch.stack([moments(edge) for edge in y], dim=1).flatten(1)  # [2, edges * C]
    statistics(layer, sums, pixels(y), normalisations.normalisation(candidate))
    return [y]


def _draw(skip: DroppedSkip, edges: int, state: Tensor) -> Tensor:
    """Return what each edge multiplies a state [B, H, W, C] by, [edges, B, H, W, C].

    Numbers are drawn in the order in which the plain executor draws them.
    """
    like = state.new_empty(edges, *state.shape)
    return skip.factors(like) if skip.training else like.fill_(1)


def _measure_pool(candidate: Candidate, y: Tensor, normalisations: TermNormalisations) -> None:
    """Write the statistics of a pool [B, H', W', C] to all of its terms."""
    layer, terms = module_norms(candidate.module)[0], normalisations.normalisation(candidate)
    sums = moments(y) if measures(layer) else None
    # One layer normalises the pool for all edges: measure for the first and copy to the others.
    statistics(layer, sums, pixels(y), Normalisation(terms.mean[0], terms.inverse[0]))
    terms.mean[1:], terms.inverse[1:] = terms.mean[0], terms.inverse[0]
