"""The mix axis: how images of a batch are mixed with one another."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require, require_choice


@dataclass
class Mix:
    """Base of the values on the mix axis."""

    # Uniform shares, as Zhang et al. and Yun et al. use on CIFAR-10.
    alpha: float = 1.0
    """Parameter of the distribution Beta(alpha, alpha) from which shares are drawn."""
    # The code of mixup, of CutMix and of GLMC draws one share and one box for a batch.
    drawn_for: str = "images"
    """`images`: each image has its own share and box; `batches`: those of a batch have the same."""

    partner_exponent: float | None = None
    """q: the second image of each mixture is drawn with the weight n^-q, n being the number of
    images of its class; null: it is the next image of the batch."""

    def __post_init__(self) -> None:
        require(
            self.partner_exponent is None or self.partner_exponent >= 0,
            f"mix.partner_exponent={self.partner_exponent} must be 0 or more, or null for the "
            "next image of the batch",
        )
        require(self.alpha > 0, f"mix.alpha={self.alpha} must be above 0")
        require_choice("mix.drawn_for", self.drawn_for, ("images", "batches"))


@dataclass
class NoMix(Mix):
    """Images are not mixed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.partner_exponent is None,
            f"mix.partner_exponent={self.partner_exponent} with mix=none: there are no partners; "
            "take mix=mixup, or mix.partner_exponent=null",
        )


@dataclass
class Mixup(Mix):
    """A weighted mean of two images (Zhang et al. 2018)."""


@dataclass
class CutMix(Mix):
    """A rectangle of one image pasted into the other (Yun et al. 2019)."""


@dataclass
class MixupOrCutMix(Mix):
    """Mixup or CutMix, chosen for each image by chance."""


@dataclass
class MixupAndCutMix(Mix):
    """Two views of each image, one by mixup and one by CutMix."""


MIXES: dict[str, type[Mix]] = {
    "none": NoMix,
    "mixup": Mixup,
    "cutmix": CutMix,
    "mixup_or_cutmix": MixupOrCutMix,
    "mixup_and_cutmix": MixupAndCutMix,
}
