"""Label-aware smoothing (MiSLAS, Zhong et al. 2021)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas.losses import Criterion


def smoothing(counts: Tensor, head: float, tail: float) -> Tensor:
    """Of each class, [C]: `tail` for the smallest, `head` for the largest, a sine between them
    (equation 6, concave form).
    """
    n = counts.double()
    reach = (n.max() - n.min()).clamp_min(1e-12)
    return tail + (head - tail) * torch.sin((n - n.min()) / reach * math.pi / 2)


class LabelAwareSmoothing(Criterion):
    """Cross-entropy with 1 - epsilon_y of the target on the label, the rest on the other classes
    (equation 4): large classes are to be less sure of themselves.

    Args:
        counts: images of each class, [C].
        head: epsilon of the largest class.
        tail: epsilon of the smallest class.
    """

    smoothing: Tensor

    def __init__(self, counts: Tensor, head: float, tail: float) -> None:
        super().__init__()
        self.register_buffer("smoothing", smoothing(counts, head, tail).float(), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image."""
        logs = F.log_softmax(logits, dim=1)
        own = logs.gather(1, labels[:, None]).squeeze(1)
        epsilon = self.smoothing[labels].to(logs.dtype)
        others = (logs.sum(1) - own) / (logits.shape[1] - 1)
        return -(1 - epsilon) * own - epsilon * others
