"""Channels that bypass the candidate operations, for the CPU kernels; see `bypass`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas.kernels.normalisation import Term, mix, mix_products
from ltnas.models.native_layout import CellLayout


class NativeBypass:
    """Forward and backward pass of the bypass of a cell whose states are [B, H, W, C].

    Args:
        layout: layout of the cell.
        weights: mixing weights, [edges, columns], of which the last is that of the bypass.
        states: states of the cell, [B, H, W, C] each; nodes are read once they are complete.
    """

    def __init__(self, layout: CellLayout, weights: Tensor, states: Sequence[Tensor]) -> None:
        self.layout, self.states = layout, states
        width = layout.state_channels - layout.channels
        # [edges, C - C / K], with memory for each channel, because kernels get a row's address.
        self._scales = weights.detach()[:, -1:].double().expand(-1, width).contiguous().unbind(0)
        self._zeros = torch.zeros(width, dtype=torch.float64)
        self._ones = torch.ones(width, dtype=torch.float64)
        # What each state passes on, [B, H', W', C - C / K], and the gradient that bypassed a node.
        self._passed: dict[int, Tensor] = {}
        self._positions: dict[int, Tensor] = {}  # of the maxima that a state passes on
        self._grads: dict[int, Tensor] = {}

    def _term(self, x: Tensor, row: int) -> Term:
        return Term(x, self._scales[row], self._zeros, self._ones)

    def _pass(self, state: int) -> Tensor:
        """Return what the edges that leave a state pass on."""
        if state not in self._passed:
            x = self.states[state][..., self.layout.channels :]
            if self.layout.stride(state) == 2:
                x, self._positions[state] = _pooled(x)
            self._passed[state] = x
        return self._passed[state]

    def join(self, number: int, computed: Tensor) -> None:
        """Write a node, [B, H', W', C], of the sum of its operations, [B, H', W', C / K]."""
        bypassed = computed.new_empty(*computed.shape[:3], len(self._zeros))
        entering = self.layout.edges_into(number)
        mix([self._term(self._pass(state), row) for row, state in entering], bypassed, add=False)
        # The shuffle: channel j K + g of the node is channel g C / K + j of both side by side.
        node = self.states[number].unflatten(3, (self.layout.channels, -1))
        node[..., 0] = computed
        node[..., 1:] = bypassed.unflatten(3, (-1, self.layout.channels)).mT

    def split(self, number: int, grad: Tensor) -> Tensor:
        """Return the gradient of the sum of a node's operations, [B, H', W', C / K].

        Args:
            number: number of the node.
            grad: its complete gradient, [B, H', W', C].
        """
        groups: Tensor = grad.unflatten(3, (self.layout.channels, -1))
        self._grads[number] = groups[..., 1:].mT.flatten(3).contiguous()
        computed: Tensor = groups[..., 0].contiguous()
        return computed

    def add_gradient(self, state: int, grad: Tensor) -> None:
        """Add to the gradient of a state, [B, H, W, C], what its edges passed on.

        The gradients of the nodes that they enter must have been split before.
        """
        leaving = self.layout.edges_out_of(state)
        if not leaving:
            return
        terms = [self._term(self._grads[node], row) for row, node in leaving]
        own = grad[..., self.layout.channels :]
        if self.layout.stride(state) == 1:
            mix(terms, own, add=True)
            return
        total = torch.empty_like(terms[0].source)
        mix(terms, total, add=False)
        self._pass(state)
        own += _unpooled(total, self._positions[state], own)

    def weight_gradient(self, number: int) -> tuple[list[int], Tensor]:
        """Return the edges into a node, and the gradients of their bypass weights, [edges]."""
        entering = self.layout.edges_into(number)
        sums = torch.zeros(len(entering), 2, len(self._zeros), dtype=torch.float64)
        terms = [self._term(self._pass(state), row) for row, state in entering]
        mix_products(self._grads[number], terms, sums.unbind(0))
        return [row for row, _ in entering], sums[:, 1].sum(1)


def _pooled(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the 2x2 maxima of [B, H, W, C], [B, H / 2, W / 2, C], and their positions."""
    values, positions = F.max_pool2d(x.permute(0, 3, 1, 2), 2, 2, return_indices=True)
    return values.permute(0, 2, 3, 1).contiguous(), positions


def _unpooled(grad: Tensor, positions: Tensor, like: Tensor) -> Tensor:
    """Return the gradient of `_pooled`'s input, which has the shape of `like`, [B, H, W, C]."""
    size = [like.shape[1], like.shape[2]]
    spread = F.max_unpool2d(grad.permute(0, 3, 1, 2), positions, [2, 2], [2, 2], output_size=size)
    return spread.permute(0, 2, 3, 1)
