"""Limit for the norms of a classifier's rows (MaxNorm, Alshammari et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaxNorm(nn.Module):
    """Projection of each row of a weight onto the ball with the radius `limit`.

    Frequent classes have rows with large norms. The limit lies between the smallest and the largest
    norm that the rows have when the stage starts:

        limit = smallest + share (largest - smallest)

    The authors' code projects after each epoch, this module after each step, which is projected
    gradient descent.

    Args:
        weight: weight of the classifier at the start of the stage, [C, D].
        share: position of the limit between the smallest (0) and the largest norm (1).
    """

    limit: Tensor

    def __init__(self, weight: Tensor, share: float) -> None:
        super().__init__()
        norms = weight.detach().norm(dim=1)
        # Saved, as a run that is resumed in the middle of the stage sees other norms.
        self.register_buffer("limit", torch.lerp(norms.min(), norms.max(), share))

    @torch.no_grad()
    def project(self, weight: Tensor) -> None:
        """Scale the rows of a weight [C, D] that are longer than the limit down to it, in place."""
        # Without a branch, as a recorded step keeps to one path. Rows of 0 stay 0.
        norms = weight.norm(dim=1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
        weight.mul_((self.limit / norms).clamp(max=1.0))
