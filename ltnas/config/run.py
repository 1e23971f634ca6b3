"""Configuration that search and retraining share: machine, logger, seed and sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.data import Data, Imbalance
from ltnas.config.optimisers import WeightOptimiser
from ltnas.config.requirements import (
    paths_to_text,
    require,
    require_choice,
    require_seed,
)


@dataclass
class Trainer:
    """Devices and processes of a run."""

    accelerator: str = "auto"
    """`cpu`, `gpu`, or `auto` for a GPU if there is one."""
    devices: int = 1
    """Number of devices of each node; each has a process."""
    nodes: int = 1
    """Number of machines; torchrun or srun starts the processes on more than one."""
    threads: int | None = None
    """Number of threads of torch on the CPU; None: torch's choice."""

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
        """Number of processes that share each batch."""
        return self.devices * self.nodes


@dataclass
class Logger:
    """Destination of metrics, besides the CSV files that each run writes."""

    kind: str = "csv"
    """`csv`, `wandb`, `tensorboard`, `mlflow` or `none`."""
    project: str = "ltnas"
    """W&B project, or MLflow experiment."""
    entity: str | None = None
    """W&B user or team; None: the default of the account."""
    progress: bool = True
    """True for a progress bar on a terminal."""

    def __post_init__(self) -> None:
        kinds = ("csv", "wandb", "tensorboard", "mlflow", "none")
        require_choice("logger.kind", self.kind, kinds)


@dataclass
class Run:
    """Fields that the configurations of search and retraining share."""

    data: Data = field(default_factory=Data)
    imbalance: Imbalance = field(default_factory=Imbalance)
    trainer: Trainer = field(default_factory=Trainer)
    logger: Logger = field(default_factory=Logger)
    weights: WeightOptimiser = field(default_factory=WeightOptimiser)
    seed: int = 0
    """Seed of initial weights, order of images and augmentation."""
    # The search of arXiv 2406.16949, section IV: DARTS with 40 epochs instead of 50.
    epochs: int = 40
    """Number of epochs of the run."""
    batch_size: int = 64
    """Number of images in a batch, of all devices together."""
    channels: int = 16
    """Number of channels of each operation in the first cells; reductions double it."""
    cells: int = 8
    """Number of cells of the network."""
    limit_batches: int | None = None
    """Largest number of batches in an epoch; None: all."""
    test_every: int = 1
    """Epochs between tests; the last epoch is always tested."""
    limit_test_batches: int | None = None
    """Test on so many times 100 images, about as many of each class; None: on all test images."""
    resume: str = "never"
    """`never`, a run folder to continue, or `auto`: the newest unfinished run of these settings."""
    precision: str = "32"
    """`32`, or `bf16-mixed` for mixed precision in bfloat16."""
    compile: bool = False
    """True to compile each cell with torch.compile."""
    graphs: str = "auto"
    """`auto` to record each step as a CUDA graph where there is a GPU, or `off`."""
    runs: str = "runs"
    """Folder in which each run creates its own folder."""

    def __post_init__(self) -> None:
        paths_to_text(self, "resume", "runs")
        require(
            self.precision != "16-mixed",
            "precision=16-mixed is not offered: its loss scaling would reach both optimisers and "
            "the gradient clip; take precision=bf16-mixed (no scaling needed) or precision=32",
        )
        require_choice("precision", self.precision, ("32", "bf16-mixed"))
        require_choice("graphs", self.graphs, ("auto", "off"))
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
            # `FactorizedReduce` concatenates two convolutions with half of the channels each.
            self.channels >= 2 and self.channels % 2 == 0,
            f"channels={self.channels} must be even and 2 or more: reduction cells build their "
            "output from two halves",
        )
        require(self.test_every >= 1, f"test_every={self.test_every} must be 1 or more")
        for key in ("limit_batches", "limit_test_batches"):
            value = getattr(self, key)
            require(
                value is None or value >= 1,
                f"{key}={value} must be 1 or more; leave it out for all batches",
            )
