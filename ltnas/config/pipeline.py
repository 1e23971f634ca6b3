"""`python -m ltnas.pipeline`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from ltnas.config.requirements import require, require_choice
from ltnas.config.retrain import RetrainConfig
from ltnas.config.search import SearchConfig

SHARED = (
    *("data", "imbalance", "trainer", "logger", "seed", "precision", "compile", "runs", "resume"),
)
"""Keys that count for both stages."""


@dataclass
class PipelineConfig(SearchConfig):
    """A search's configuration, and what it does not know of the training."""

    retrain: dict[str, Any] = field(default_factory=dict)
    """Keys and choices of `RetrainConfig`, as files set them."""
    until: str = "retrain"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("until", self.until, ("search", "retrain"))
        require(
            self.resume in ("auto", "never"),
            f"resume={self.resume}: a pipeline has two run folders; take resume=auto, which finds "
            "both, or resume=never",
        )
        require(
            self.trainer.processes == 1,
            f"trainer.devices={self.trainer.devices} in a pipeline: its processes could not tell "
            "its stages apart; run ltnas.search, then ltnas.retrain, each with trainer=ddp",
        )

    @property
    def search(self) -> SearchConfig:
        """What a search alone is told."""
        return SearchConfig(**{key.name: getattr(self, key.name) for key in fields(SearchConfig)})


def as_the_search(config: RetrainConfig, search: SearchConfig, said: set[str]) -> RetrainConfig:
    """A training with the search's values of `SHARED`, but for keys that are `said` of it alone."""
    return replace(config, **{key: getattr(search, key) for key in SHARED if key not in said})
