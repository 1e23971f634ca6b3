"""AutoAugment with the policy for CIFAR-10 (Cubuk et al. 2019) for batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor

from ltnas.data.image_operations import image_operations
from ltnas.data.policy import apply_chosen

Step = tuple[str, float, int]
"""Name of an operation, probability of applying it, and its level in [0, 9]."""

SUB_POLICIES: tuple[tuple[Step, Step], ...] = (
    (("invert", 0.1, 0), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("shift_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("shift_y", 0.7, 9)),
    (("autocontrast", 0.5, 0), ("equalise", 0.9, 0)),
    (("shear_y", 0.2, 7), ("posterise", 0.3, 7)),
    (("saturation", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalise", 0.6, 0), ("equalise", 0.5, 0)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("saturation", 0.7, 7), ("shift_x", 0.5, 8)),
    (("equalise", 0.3, 0), ("autocontrast", 0.4, 0)),
    (("shift_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("saturation", 0.2, 8)),
    (("solarise", 0.5, 2), ("invert", 0.0, 0)),
    (("equalise", 0.2, 0), ("autocontrast", 0.6, 0)),
    (("equalise", 0.2, 0), ("equalise", 0.6, 0)),
    (("saturation", 0.9, 9), ("equalise", 0.6, 0)),
    (("autocontrast", 0.8, 0), ("solarise", 0.2, 8)),
    (("brightness", 0.1, 3), ("saturation", 0.7, 0)),
    (("solarise", 0.4, 5), ("autocontrast", 0.9, 0)),
    (("shift_y", 0.9, 9), ("shift_y", 0.7, 9)),
    (("autocontrast", 0.9, 0), ("solarise", 0.8, 3)),
    (("equalise", 0.8, 0), ("invert", 0.1, 0)),
    (("shift_y", 0.7, 9), ("autocontrast", 0.9, 0)),
)
"""The 25 sub-policies found on CIFAR-10 (Cubuk et al. 2019, appendix A).

Operations without a strength have level 0.
"""

LEVELS = sorted({(name, level) for steps in SUB_POLICIES for name, _, level in steps})
"""The operations of all sub-policies with their levels, each once."""


UNSIGNED = ("posterise", "solarise", "autocontrast", "equalise", "invert")
"""Operations that do not depend on the sign of their strength."""


@lru_cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return position in `LEVELS`, probability, and True for strengths without a sign, by step.

    Each is [25, 2].
    """
    # Copied once: each copy from the host's memory would wait for all work of a GPU.
    positions = [[LEVELS.index((name, level)) for name, _, level in two] for two in SUB_POLICIES]
    probabilities = [[probability for _, probability, _ in two] for two in SUB_POLICIES]
    unsigned = [[name in UNSIGNED for name, _, _ in two] for two in SUB_POLICIES]
    return (
        torch.tensor(positions, device=device),
        torch.tensor(probabilities, device=device),
        torch.tensor(unsigned, device=device),
    )


@lru_cache
def _signed_operations(fill: int) -> list[Callable[[Tensor], Tensor] | None]:
    """Return each entry of `LEVELS` with either sign, and None for no change as the last entry."""
    operations = image_operations(fill)
    return [
        *(
            partial(operations[name], strength=sign * level / 9)
            for name, level in LEVELS
            for sign in (-1, 1)
        ),
        None,
    ]


@dataclass(frozen=True)
class AutoAugment:
    """Apply the two operations of a randomly drawn sub-policy to each image, one after another.

    Args:
        fill: grey value of pixels that are moved in from outside of an image, in [0, 255].
    """

    fill: int

    @property
    def draws(self) -> int:
        """Number of random numbers per image."""
        return 5

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Return augmented images, uint8 [B, 3, H, W].

        Args:
            images: uint8 [B, 3, H, W].
            random: uniform in [0, 1), [B, 5]: sub-policy, then for each of its steps if it is
                applied, and the sign of its strength.
        """
        positions, probabilities, unsigned = _tables(random.device)
        operations = _signed_operations(self.fill)
        policy = (random[:, 0] * len(SUB_POLICIES)).long()  # [B]
        for step in range(2):
            applied = random[:, 1 + 2 * step] < probabilities[policy, step]
            # Images whose operation has no sign are changed together.
            positive = (random[:, 2 + 2 * step] >= 0.5) | unsigned[policy, step]
            signed = 2 * positions[policy, step] + positive
            # The last entry leaves an image as it is.
            chosen = torch.where(applied, signed, len(operations) - 1)
            images = apply_chosen(images, chosen, operations)
        return images
