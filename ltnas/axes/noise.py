"""Random numbers of a step, which passes of the step read as often as they need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

Fill = Callable[[Tensor, torch.Generator], object]
"""Overwrites a tensor with random numbers of a generator."""


class Noise(nn.Module):
    """Noise of each kind of cell, drawn once before a step with one seed on all ranks.

    It lies in buffers that are filled in place, which recorded steps read, and that no checkpoint
    has. Numbers are drawn on the CPU in single precision, so that they are the same on all devices.

    Args:
        kinds: kinds of cell.
        shape: shape of the noise of a kind.
        fill: distribution of the noise.
        start: value of all numbers before the first draw.
    """

    def __init__(
        self, kinds: Iterable[str], shape: Sequence[int], fill: Fill, start: float = 0.0
    ) -> None:
        super().__init__()
        self.kinds, self.fill = tuple(kinds), fill
        for kind in self.kinds:
            self.register_buffer(kind, torch.full(tuple(shape), start), persistent=False)

    def draw(self, generator: torch.Generator) -> None:
        """Draw the noise of a step."""
        for kind in self.kinds:
            drawn = torch.empty(self(kind).shape)
            self.fill(drawn, generator)
            self(kind).copy_(drawn)

    def forward(self, kind: str) -> Tensor:
        """Return the noise of a kind of cell."""
        return self.get_buffer(kind)
