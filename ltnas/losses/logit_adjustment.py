"""Logits moved by how frequent classes are: logit adjustment, balanced softmax, VS loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas.losses import Criterion


def log_priors(counts: Tensor) -> Tensor:
    """Log pi of each class, [C], from counts > 0."""
    return torch.log(counts.double() / counts.double().sum())


class VectorScaling(Criterion):
    """Cross-entropy of z_c (n_c / n_max)^gamma + tau log pi_c (Kini et al. 2021, equation 2).

    With gamma = 0 it is logit adjustment (Menon et al. 2021, equation 10), and with tau = 1 too
    balanced softmax (Ren et al. 2020, equation 3): log n_c differs from log pi_c by a constant, of
    which a softmax knows nothing.

    Args:
        counts: images of each class, [C].
        tau: of the additive term.
        gamma: of the multiplicative term.
    """

    factors: Tensor
    terms: Tensor

    def __init__(self, counts: Tensor, tau: float, gamma: float) -> None:
        super().__init__()
        factors = (counts.double() / counts.max()) ** gamma
        self.register_buffer("factors", factors.float(), persistent=False)
        self.register_buffer("terms", (tau * log_priors(counts)).float(), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image; predictions are made of the logits as they are."""
        moved = logits * self.factors.to(logits.dtype) + self.terms.to(logits.dtype)
        return F.cross_entropy(moved, labels, reduction="none")
