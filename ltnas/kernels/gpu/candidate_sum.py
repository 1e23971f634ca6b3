"""Sum of all candidate operations of the edges that leave a state, as its kernels take it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from torch import Tensor

KINDS = 2
"""Largest number of candidates of each kind; the kernels name each of them."""
ELEMENTS = 1024
"""Elements of a program of the passes over pixels and channels."""


class Kinds(NamedTuple):
    """Number of candidates of each kind, and of their channels."""

    filters: int
    """Channels of each candidate and of the sum: those of all edges."""
    channels: int
    """Channels of the state, and of one edge."""
    state_step: int
    """Distance of two pixels of the state in elements."""
    separable: int
    dilated: int
    pools: int
    skip: bool

    @property
    def total(self) -> int:
        """Number of candidates."""
        return self.separable + self.dilated + self.pools + self.skip

    def constants(self) -> dict[str, int]:
        """Return the constants of the kernels that read all candidates."""
        return {
            "CHANNELS": self.filters,
            "OWN": self.channels,
            "STATE_STEP": self.state_step,
            "SEPARABLE": self.separable,
            "DILATED": self.dilated,
            "POOLS": self.pools,
            "SKIP": self.skip,
        }


class Summands(NamedTuple):
    """Inputs of the sum: candidates before their last normalisation, and their scales.

    Moments are mean, inverse deviation, slope and shift of each channel, [4, channels].
    """

    separable: Tensor
    """Second units of the separable convolutions, [B, separable * filters, H, W]."""
    dilated: Tensor
    """First units of all convolutions, [B, (separable + dilated) * filters, H, W]."""
    pooled: Tensor
    """Pools, [B, pools * channels, H, W]."""
    state: Tensor
    """State for the skip connection, [B, channels, H', W']."""
    separable_moments: Tensor
    dilated_moments: Tensor
    pooled_moments: Tensor
    scales: Sequence[Tensor]
    """Factor of each channel of each candidate, [filters] each, in the order of `kinds`."""
    kinds: Kinds

    def arguments(self) -> tuple[Tensor, ...]:
        """Return the arguments of the kernels: tensors, and mean and inverse deviation of each."""
        moments = (self.separable_moments, self.dilated_moments, self.pooled_moments)
        tensors = (self.separable, self.dilated, self.pooled, self.state)
        return (*tensors, *(row for one in moments for row in one[:2]))

    def slots(self) -> list[Tensor]:
        """Return the scales for the kernels' arguments: two of each kind, and one of a skip."""
        scales = iter(self.scales)
        some = [self.scales[0]] * KINDS
        counts = (self.kinds.separable, self.kinds.dilated, self.kinds.pools)
        found = [scale for n in counts for scale in [*islice(scales, n), *some][:KINDS]]
        return [*found, self.scales[-1]]
