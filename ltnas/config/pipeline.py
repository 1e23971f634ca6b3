"""Configuration of `python -m ltnas.pipeline`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from ltnas.config.requirements import require, require_choice
from ltnas.config.retrain import RetrainConfig
from ltnas.config.search import SearchConfig

SHARED = (
    *("data", "imbalance", "trainer", "logger", "seed", "precision", "compile", "graphs", "runs"),
    "resume",
)
"""Keys that apply to both stages."""


@dataclass
class PipelineConfig(SearchConfig):
    """Configuration of a search, with the settings of the training that follows it."""

    retrain: dict[str, Any] = field(default_factory=dict)
    """Keys and choices of `RetrainConfig`, as configuration files set them."""
    until: str = "retrain"
    """Last stage: `search` or `retrain`."""

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
        """Configuration of the search alone."""
        return SearchConfig(**{key.name: getattr(self, key.name) for key in fields(SearchConfig)})


def as_the_search(
    config: RetrainConfig, search: SearchConfig, training_keys: set[str]
) -> RetrainConfig:
    """Return the training's configuration with the search's values of the `SHARED` keys.

    Args:
        config: configuration of the training.
        search: configuration of the search.
        training_keys: keys that the user set for the training alone; they keep their values. A
            dotted key (`data.crop_padding`) keeps one field of a group, and the name of a group
            (`data`) keeps all of it.
    """
    values = {}
    for key in SHARED:
        if key in training_keys:
            continue
        value, training_value = getattr(search, key), getattr(config, key)
        names = [word.partition(".")[2] for word in training_keys if word.startswith(f"{key}.")]
        kept = {name: getattr(training_value, name) for name in names}
        values[key] = replace(value, **kept) if kept else value
    return replace(config, **values)
