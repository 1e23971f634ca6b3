"""What both commands share: optimisers, machine, logger, sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.data import Data, Imbalance
from ltnas.config.requirements import require, require_choice, require_seed


@dataclass
class WeightOptimiser:
    """SGD with momentum, its rate a cosine or steps by epoch."""

    learning_rate: float = 0.025
    final_learning_rate: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    clip: float | None = 5.0
    """Largest norm of the gradient of all weights; None: any."""
    nesterov: bool = False
    warmup_epochs: int = 0
    """First epochs, in which the rate grows linearly to what it would be without."""
    decay: str = "cosine"
    """Or `steps`: the rate is multiplied by `factor` at each share of the run in `steps`."""
    steps: list[float] = field(default_factory=lambda: [0.8, 0.9])
    factor: float = 0.01

    def __post_init__(self) -> None:
        require(
            self.learning_rate > 0, f"weights.learning_rate={self.learning_rate} must be above 0"
        )
        for key in ("final_learning_rate", "weight_decay", "warmup_epochs"):
            value = getattr(self, key)
            require(value >= 0, f"weights.{key}={value} must be 0 or more")
        require(0 <= self.momentum < 1, f"weights.momentum={self.momentum} must lie in [0, 1)")
        require(
            self.clip is None or self.clip > 0,
            f"weights.clip={self.clip} must be above 0, or null for none",
        )
        require(
            not self.nesterov or self.momentum > 0,
            "weights.nesterov=true with weights.momentum=0: there is no momentum to look ahead "
            "with; take weights.momentum=0.9",
        )
        require_choice("weights.decay", self.decay, ("cosine", "steps"))
        require(
            all(0 < step < 1 for step in self.steps),
            f"weights.steps={self.steps} must lie in (0, 1): shares of the run",
        )
        require(0 < self.factor <= 1, f"weights.factor={self.factor} must lie in (0, 1]")


@dataclass
class ArchitectureOptimiser:
    """Adam on the architecture parameters."""

    learning_rate: float = 3e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_decay: float = 1e-3

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


@dataclass
class Trainer:
    """The machine."""

    accelerator: str = "auto"
    devices: int = 1
    """Of each node, a process each."""
    nodes: int = 1
    """Machines; processes on several are started by torchrun or srun."""
    threads: int | None = None
    """Of torch on the CPU; None leaves its choice."""

    def __post_init__(self) -> None:
        require_choice("trainer.accelerator", self.accelerator, ("auto", "cpu", "gpu"))
        for key in ("devices", "nodes"):
            value = getattr(self, key)
            require(value >= 1, f"trainer.{key}={value} must be 1 or more")
        require(
            self.threads is None or self.threads >= 1,
            f"trainer.threads={self.threads} must be 1 or more; leave it out for torch's choice",
        )

    @property
    def processes(self) -> int:
        """That share each batch."""
        return self.devices * self.nodes


@dataclass
class Logger:
    """Where numbers go besides the csv files that each run writes."""

    kind: str = "csv"
    project: str = "ltnas"
    entity: str | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        require_choice("logger.kind", self.kind, ("csv", "wandb", "tensorboard", "none"))


@dataclass
class Run:
    """What both commands share."""

    data: Data = field(default_factory=Data)
    imbalance: Imbalance = field(default_factory=Imbalance)
    trainer: Trainer = field(default_factory=Trainer)
    logger: Logger = field(default_factory=Logger)
    weights: WeightOptimiser = field(default_factory=WeightOptimiser)
    seed: int = 0
    epochs: int = 40
    batch_size: int = 64
    channels: int = 16
    cells: int = 8
    limit_batches: int | None = None
    """Batches an epoch at most; None: all."""
    resume: str = "never"
    """`auto` goes on with the newest unfinished run of this configuration; a folder, with that."""
    precision: str = "32"
    compile: bool = False
    """Whether torch.compile makes kernels of each cell."""
    runs: str = "runs"
    """Folder in which each run makes its own."""

    def __post_init__(self) -> None:
        require(
            self.precision != "16-mixed",
            "precision=16-mixed is not offered: its loss scaling would reach both optimisers and "
            "the gradient clip; take precision=bf16-mixed (no scaling needed) or precision=32",
        )
        require_choice("precision", self.precision, ("32", "bf16-mixed"))
        require_seed("seed", self.seed)
        for key, value in (("epochs", self.epochs), ("cells", self.cells)):
            require(value >= 1, f"{key}={value} must be 1 or more")
        require(self.batch_size >= 2, f"batch_size={self.batch_size}: BatchNorm needs 2 or more")
        require(
            self.batch_size % self.trainer.processes == 0,
            f"batch_size={self.batch_size} is that of all devices together: it must be a multiple "
            f"of trainer.devices={self.trainer.devices} times trainer.nodes={self.trainer.nodes}",
        )
        require(
            self.channels >= 2 and self.channels % 2 == 0,
            f"channels={self.channels} must be even and 2 or more: reduction cells build their "
            "output from two halves",
        )
        require(
            self.limit_batches is None or self.limit_batches >= 1,
            f"limit_batches={self.limit_batches} must be 1 or more; leave it out for all batches",
        )
