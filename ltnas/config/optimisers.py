"""Optimisers of the network weights and of the architecture parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ltnas.config.requirements import require, require_choice


@dataclass
class WeightOptimiser:
    """SGD with momentum on the network weights; its rate follows a cosine or steps by epoch."""

    place: ClassVar[str] = "weights"
    """Key of the optimiser on the command line, for messages."""
    # Rates, momentum, decay and clip are those of the search in the DARTS code.
    learning_rate: float = 0.025
    """Learning rate of the first epoch after the warm-up."""
    final_learning_rate: float = 0.001
    """Learning rate that the cosine would have after the last epoch."""
    momentum: float = 0.9
    weight_decay: float = 3e-4
    """Factor of the weights in the gradient."""
    clip: float | None = 5.0
    """Largest norm of the gradient of all weights; None: no limit."""
    nesterov: bool = False
    """True for Nesterov momentum."""
    warmup_epochs: int = 0
    """Number of first epochs in which the rate grows linearly to its value without warm-up."""
    decay: str = "cosine"
    """`cosine`, or `steps`: the rate is multiplied by `factor` at each share in `steps`."""
    # Epochs 160 and 180 of 200, as in the code of LDAM-DRW.
    steps: list[float] = field(default_factory=lambda: [0.8, 0.9])
    """Shares of the epochs at which `decay=steps` reduces the rate."""
    factor: float = 0.01
    """Factor of the rate at each of the `steps`."""
    warmup_start: float = 0.0
    """Share of the rate at which the warm-up starts: epoch e of w epochs, from 1, has the share
    start + (1 - start) e / w."""

    def __post_init__(self) -> None:
        place = self.place
        require(
            self.learning_rate > 0, f"{place}.learning_rate={self.learning_rate} must be above 0"
        )
        for key in ("final_learning_rate", "weight_decay", "warmup_epochs"):
            value = getattr(self, key)
            require(value >= 0, f"{place}.{key}={value} must be 0 or more")
        require(0 <= self.momentum < 1, f"{place}.momentum={self.momentum} must lie in [0, 1)")
        require(
            self.clip is None or self.clip > 0,
            f"{place}.clip={self.clip} must be above 0, or null for none",
        )
        require(
            not self.nesterov or self.momentum > 0,
            f"{place}.nesterov=true with {place}.momentum=0: there is no momentum to look ahead "
            f"with; take {place}.momentum=0.9",
        )
        require_choice(f"{place}.decay", self.decay, ("cosine", "steps"))
        require(
            all(0 < step < 1 for step in self.steps),
            f"{place}.steps={self.steps} must lie in (0, 1): shares of the run",
        )
        require(0 < self.factor <= 1, f"{place}.factor={self.factor} must lie in (0, 1]")
        require(
            0 <= self.warmup_start < 1,
            f"{place}.warmup_start={self.warmup_start} must lie in [0, 1): a share of the rate",
        )


@dataclass
class PretrainingOptimiser(WeightOptimiser):
    """SGD of the training without labels, with the rates of the training of DARTS."""

    place: ClassVar[str] = "pretrain_weights"
    final_learning_rate: float = 0.0


@dataclass
class ClassifierOptimiser(WeightOptimiser):
    """SGD of the second stage, with rate and decay of Zhang et al. (2021) for CIFAR.

    The rate follows a cosine without warm-up, which suits any number of epochs; `recipe=crt` has
    their steps for 30 epochs.
    """

    place: ClassVar[str] = "crt.weights"
    learning_rate: float = 0.1
    final_learning_rate: float = 0.0
    weight_decay: float = 5e-4
    clip: float | None = None
    nesterov: bool = True


@dataclass
class ArchitectureOptimiser:
    """Adam on the architecture parameters."""

    # Constants of DARTS. FairDARTS has a rate of 3e-3 and beta1 of 0.9.
    learning_rate: float = 3e-4
    """Learning rate of the first epoch; the schedule axis moves it."""
    beta1: float = 0.5
    """Decay of Adam's mean of gradients, per step."""
    beta2: float = 0.999
    """Decay of Adam's mean of squared gradients, per step."""
    weight_decay: float = 1e-3
    """Factor of the parameters in the gradient (coupled, as in DARTS)."""
    clip: float | None = None
    """Largest norm of the gradient of all architecture parameters; None: no limit."""
    warmup: float = 0.0
    """Share of the epochs, the first ones, without architecture steps."""

    def __post_init__(self) -> None:
        require(
            self.learning_rate > 0,
            f"architecture.learning_rate={self.learning_rate} must be above 0",
        )
        for key in ("beta1", "beta2"):
            value = getattr(self, key)
            require(0 <= value < 1, f"architecture.{key}={value} must lie in [0, 1)")
        require(
            self.weight_decay >= 0,
            f"architecture.weight_decay={self.weight_decay} must be 0 or more",
        )
        require(
            self.clip is None or self.clip > 0,
            f"architecture.clip={self.clip} must be above 0, or null for none",
        )
        require(
            0 <= self.warmup < 1,
            f"architecture.warmup={self.warmup} must lie in [0, 1): a share of the epochs",
        )

    def warmup_epochs(self, epochs: int) -> int:
        """Return the number of epochs without architecture steps, of which at least one is left."""
        return min(int(self.warmup * epochs + 0.5), epochs - 1)
