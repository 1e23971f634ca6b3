"""Backward pass of a supernet's cell by the CPU kernels.

The gradient of a normalisation is an affine function of its output's gradient and of its input, so
it is folded into the kernels around it. Inputs of convolutions are computed again from the tensors
that the forward pass saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ltnas.kernels.convolutions import unit_backward
from ltnas.kernels.normalisation import (
    Normalisation,
    NormalisationBackward,
    Term,
    mix,
    mix_products,
    normalised_backward,
)
from ltnas.kernels.pools import pool_backward
from ltnas.models.native_bypass import NativeBypass
from ltnas.models.native_layout import Candidate, CellLayout
from ltnas.models.native_terms import (
    Pools,
    TermNormalisations,
    TermSources,
    compute_pools,
    reduce_inputs,
    units_and_norms,
)
from ltnas.models.skip_dropout import DroppedSkip
from ltnas.models.stacked import Convolutions, Pool, Reduce


def backward(
    *,
    layout: CellLayout,
    inputs: list[Tensor],
    out: Tensor,
    weights: Tensor,
    parameters: Sequence[Tensor],
    saved: Sequence[Tensor],
    grad_out: Tensor,
    needs_inputs: Sequence[bool],
    needs_parameters: bool,
) -> tuple[list[Tensor | None], Tensor, list[Tensor | None]]:
    """Compute the gradients of a cell.

    Args:
        layout: layout of the cell.
        inputs: the two input states, [B, H, W, C] each.
        out: output of the cell, [B, H', W', nodes * C].
        weights: mixing weights, [edges, columns].
        parameters: contiguous parameters in the order of `CellLayout.parameters`.
        saved: tensors that `forward` returned.
        grad_out: gradient of the output, dense; it is overwritten with the gradients of the nodes.
        needs_inputs: for each input, True to compute its gradient.
        needs_parameters: True to compute the gradients of the parameters.

    Returns:
        Gradients of the inputs, of the mixing weights and of the parameters; None for those that
        are not needed.
    """
    # float64 [terms, C] twice, float64 [2, inner channels], and outputs [edges, B, H', W', C].
    mean, inverse, inner, *outputs = saved
    normalisations = TermNormalisations(layout, weights, mean, inverse)
    whole = [*inputs, *out.split(layout.state_channels, dim=3)]  # [B, H, W, C] each
    # The channels that candidates see; the others bypass them.
    states = [state[..., : layout.channels] for state in whole]
    bypass = NativeBypass(layout, weights, whole) if layout.bypassed else None
    # Pools are not saved; compute them again.
    pools = [compute_pools(layout.leaving(number), x) for number, x in enumerate(states)]
    sources = TermSources()
    for candidate in layout.candidates:
        sources.add(candidate, states, outputs, pools[candidate.state])

    # Gradients of the states are sums over the edges that leave them, completed from the last
    # state to the first. Then the edges into a state can be passed.
    whole_grads = [*map(torch.zeros_like, inputs), *grad_out.split(layout.state_channels, dim=3)]
    # Gradients of the sums of operations; with a bypass known once a node's gradient is complete.
    grads = list(whole_grads)
    grad_weights = torch.zeros_like(weights)
    # What the backward pass through a normalisation needs of each term (`NormalisationBackward`).
    sums = torch.zeros(layout.term_count, 2, layout.channels, dtype=torch.float64)
    grad_parameters: list[Tensor | None] = [None] * len(parameters)
    for number in reversed(range(len(states))):
        state, grad = states[number], whole_grads[number][..., : layout.channels]
        grad_pools: Pools = {}
        # In the architecture step nothing needs the gradient of an input that comes from the stem.
        needed = needs_parameters or number >= 2 or needs_inputs[number]
        for candidate in layout.leaving(number) if needed else []:
            step = _CandidateBackward(
                candidate=candidate,
                grads=[grads[target] for target in candidate.targets],
                normalisations=normalisations,
                sums=sums[candidate.terms],
                needs_parameters=needs_parameters,
            )
            positions = candidate.parameters
            own_parameters = parameters[positions]
            own_outputs = outputs[candidate.saved]
            match candidate.module:
                case Convolutions():
                    grad_parameters[positions] = step.convolutions(
                        state=state,
                        parameters=own_parameters,
                        outputs=own_outputs,
                        inner=inner,
                        grad_state=grad,
                    )
                case Reduce():
                    grad_parameters[positions] = step.reduce(
                        state, own_parameters, own_outputs[0], grad
                    )
                case Pool() as pool:
                    grad_pools[pool.kind] = step.pool(pools[number][pool.kind])
                case nn.Identity():
                    step.identity(grad)
                case DroppedSkip():
                    step.dropped(own_outputs[0], grad)
        if grad_pools:
            _add_pools(grad_pools, state, layout.stride(number), grad)
        if bypass is not None and needed:
            bypass.add_gradient(number, whole_grads[number])
        # The gradient of this state is complete now, and so are the products that the mixing
        # weights and the normalisations of the terms into it need.
        entering = layout.entering(number)
        if bypass is not None and number >= 2:
            grads[number] = grad = bypass.split(number, whole_grads[number])
            rows, values = bypass.weight_gradient(number)
            grad_weights[rows, -1] = values.to(weights.dtype)
        if entering:
            sums_of_terms = sums.unbind(0)
            terms = normalisations.terms_into(number, sources.values)
            mix_products(grad, terms, [sums_of_terms[term] for term in entering])

    # A mixing weight scales a normalised term, so its gradient is the sum of grad * normalised.
    # Every term has its own place in the matrix, so that assignment loses nothing.
    grad_weights[layout.rows, layout.columns] = sums[:, 1].sum(1).to(weights.dtype)
    pairs = zip(whole_grads[:2], needs_inputs, strict=True)
    return [grad if need else None for grad, need in pairs], grad_weights, grad_parameters


def _add_pools(grad_pools: Pools, state: Tensor, stride: int, grad_state: Tensor) -> None:
    """Add the gradient of one or both pools of a state to the state's."""
    # The kernel takes both gradients; the one of a pool that no edge has is zero.
    zeros = torch.zeros_like(next(iter(grad_pools.values())))
    maximum, mean = (grad_pools.get(kind, zeros) for kind in ("max", "avg"))
    pool_backward(x=state, stride=stride, grad_maximum=maximum, grad_mean=mean, grad_x=grad_state)


@dataclass
class _CandidateBackward:
    """Backward pass through the terms of a candidate.

    Args:
        candidate: the candidate.
        grads: gradient of the state that each of its edges enters, [B, H', W', C].
        normalisations: normalisations of the cell's terms.
        sums: `NormalisationBackward.sums` of its terms, [edges, 2, C].
        needs_parameters: True to compute the gradients of its parameters.
    """

    candidate: Candidate
    grads: list[Tensor]
    normalisations: TermNormalisations
    sums: Tensor
    needs_parameters: bool

    def convolutions(
        self,
        state: Tensor,
        parameters: Sequence[Tensor],
        outputs: Sequence[Tensor],
        inner: Tensor,
        grad_state: Tensor,
    ) -> list[Tensor | None]:
        """Add to the gradient of the state, and return the gradients of the parameters.

        Args:
            state: state that the edges leave, [B, H, W, C].
            parameters: depthwise and pointwise weights of each unit.
            outputs: output of each unit before its normalisation, [edges, B, H', W', C].
            inner: mean and inverse deviation of the channels between two units.
            grad_state: gradient of the state, which is increased.
        """
        # The gradient enters at the terms, whose normalisation is the last of the chain.
        units, norms = units_and_norms(self.candidate, inner, self.normalisations)
        after = NormalisationBackward(self.grads, outputs[-1], norms[-1], self.sums)
        gradients: list[Tensor | None] = []
        # From the last unit to the first, whose input is the state.
        for index in reversed(range(len(units))):
            depthwise, pointwise = parameters[2 * index : 2 * index + 2]
            x = outputs[index - 1] if index else state
            before = norms[index - 1] if index else None
            grad_x = torch.empty_like(x) if index else grad_state
            unit = unit_backward(
                geometry=units[index].geometry,
                x=x,
                before=before,
                depthwise=depthwise,
                pointwise=pointwise,
                after=after,
                grad_x=grad_x,
                needs_weights=self.needs_parameters,
            )
            gradients = [unit.depthwise, unit.pointwise, *gradients]
            if before is not None and unit.sums is not None:
                # The gradient of ReLU's input is that of the normalised output of the unit before.
                after = NormalisationBackward(grad_x.unbind(0), x, before, unit.sums)
        return gradients

    def reduce(
        self, state: Tensor, parameters: Sequence[Tensor], output: Tensor, grad_state: Tensor
    ) -> list[Tensor | None]:
        """Add to the gradient of the state, and return the gradients of the parameters.

        Args:
            state: state that the edges leave, [B, H, W, C].
            parameters: weights of the two convolutions, [edges * C / 2, C, 1, 1] each.
            output: output before normalisation, [edges, B, H / 2, W / 2, C].
            grad_state: gradient of the state, which is increased.
        """
        grad_output = torch.empty_like(output)
        mean, inverse, scale, _ = self.normalisations.normalisation(self.candidate)
        assert scale is not None
        # Back through the normalisation, edge by edge.
        for edge, grad in enumerate(self.grads):
            norm = Normalisation(mean[edge], inverse[edge], scale[edge])
            after = NormalisationBackward([grad], output[edge], norm, self.sums[edge])
            normalised_backward(after, grad_output[edge])
        # Back through the two convolutions; the second reads pixels one row and column further on.
        gradients: list[Tensor | None] = []
        halves = grad_output.flatten(1, 3).chunk(2, dim=2)  # [edges, pixels, C / 2] each
        convolutions = zip(reduce_inputs(state), halves, parameters, strict=True)
        for offset, (x, half, weight) in enumerate(convolutions):
            matrices = weight.view(len(self.grads), -1, weight.shape[1])  # [edges, C / 2, C]
            # All edges read the same pixels: sum their gradients, [pixels, C] to [B, H', W', C].
            grad_x = torch.bmm(half, matrices).sum(0).view(x.shape)
            grad_state[:, offset::2, offset::2] += grad_x * (x > 0)
            grad_weight = None
            if self.needs_parameters:
                grad_weight = (half.mT @ x.flatten(0, 2)).view_as(weight)
            gradients.append(grad_weight)
        return gradients

    def pool(self, y: Tensor) -> Tensor:
        """Return the gradient of a pool's output y, [B, H', W', C], before its normalisation."""
        mean, inverse, scale, _ = self.normalisations.normalisation(self.candidate)
        # The statistics are the same for all edges, the mixing weights are not.
        norm = Normalisation(mean[0], inverse[0], scale)
        grad_y = torch.empty_like(y)
        normalised_backward(NormalisationBackward(self.grads, y, norm, self.sums), grad_y)
        return grad_y

    def dropped(self, factors: Tensor, grad_state: Tensor) -> None:
        """Add to the gradient of the state.

        Args:
            factors: what each edge multiplied the state by, [edges, B, H, W, C].
            grad_state: gradient of the state, which is increased.
        """
        self.grads = [grad * own for grad, own in zip(self.grads, factors, strict=True)]
        self.identity(grad_state)

    def identity(self, grad_state: Tensor) -> None:
        """Add to the gradient of the state."""
        # The gradient is the sum over edges of weight * grad, which `mix` computes for mean 0 and
        # inverse deviation 1.
        mean, inverse, scale, _ = self.normalisations.normalisation(self.candidate)
        assert scale is not None
        rows = (x.unbind(0) for x in (scale, mean, inverse))
        mix(list(map(Term, self.grads, *rows)), grad_state, add=True)
