"""Losses of logits and labels: what classification averages over a batch."""

from __future__ import annotations

from torch import Tensor, nn


class Criterion(nn.Module):
    """Base of the criteria: `forward(logits [B, C], labels [B]) -> losses [B]`."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image."""
        raise NotImplementedError
