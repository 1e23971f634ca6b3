"""Configuration of `python -m ltnas.rank`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.data import Data, Imbalance
from ltnas.config.network import STEMS
from ltnas.config.proxy import BATCHES, PROXY_NAMES
from ltnas.config.requirements import paths_to_text, require, require_choice, require_seed
from ltnas.config.run import Trainer
from ltnas.config.space import Space


@dataclass
class RankConfig:
    """Configuration of `python -m ltnas.rank`."""

    data: Data = field(default_factory=Data)
    imbalance: Imbalance = field(default_factory=Imbalance)
    trainer: Trainer = field(default_factory=Trainer)
    space: Space = field(default_factory=Space)
    """Space that random genotypes are drawn from."""
    genotype: list[str] = field(default_factory=list)
    """Run folders, genotype.json files or published names; `published`: all published ones."""
    random: int = 0
    """Number of random genotypes; they have the seeds 0, 1, ..."""
    runs: list[str] = field(default_factory=list)
    """Folders of trainings, whose genotypes are ranked and whose accuracies are compared."""
    proxies: list[str] = field(default_factory=lambda: ["all"])
    """Names of proxies, or `all`."""
    batch: str = "balanced"
    """`balanced` for equally many images of each class, or `natural`."""
    batch_size: int = 64
    """Number of images that proxies see."""
    channels: int = 16
    """Number of channels of each operation in the first cells; reductions double it."""
    cells: int = 8
    """Number of cells of the network."""
    enhancement_cells: int = 2
    """Number of enhancement cells of broad networks, whose convolution cells `cells` counts."""
    stem: str = "auto"
    """First layers: `cifar` keeps the resolution, `imagenet` reduces it eightfold; `auto` is
    `imagenet` for images of 96 pixels or more, else `cifar`."""
    repeats: int = 1
    """Number of times that weights are drawn; scores are the means."""
    seed: int = 0
    """Seed of images and weights."""
    out: str = "rank"
    """Folder that the table and the pictures are written to."""

    def __post_init__(self) -> None:
        paths_to_text(self, "out")
        require(
            bool(self.genotype or self.runs or self.random),
            "there is nothing to rank: add genotype=darts_v1,darts_v2 or random=20 or runs=FOLDER",
        )
        for key, names in (("genotype", self.genotype), ("runs", self.runs)):
            require("" not in names, f"{key}={names} has an empty name: leave it out")
        for name in self.proxies:
            require_choice("proxies", name, ("all", *PROXY_NAMES))
        require(self.proxies != [], "proxies=[] is empty: take proxies=all, or some of them")
        require_choice("batch", self.batch, BATCHES)
        require_choice("stem", self.stem, STEMS)
        require_seed("seed", self.seed)
        require(self.random >= 0, f"random={self.random} must be 0 or more genotypes")
        for key in ("repeats", "cells", "enhancement_cells"):
            require(getattr(self, key) >= 1, f"{key}={getattr(self, key)} must be 1 or more")
        require(
            self.batch_size >= 4,
            f"batch_size={self.batch_size}: proxies compare images and halves of the batch; take 4 "
            "or more",
        )
        require(
            self.channels >= 2 and self.channels % 2 == 0,
            f"channels={self.channels} must be even and 2 or more: reduction cells build their "
            "output from two halves",
        )
        require(
            self.trainer.processes == 1,
            f"trainer.devices={self.trainer.devices}: a ranking uses one device; take "
            "trainer.devices=1",
        )

    @property
    def names(self) -> list[str]:
        """Names of the proxies, each once, in the order of `PROXY_NAMES`."""
        return [name for name in PROXY_NAMES if name in self.proxies or "all" in self.proxies]
