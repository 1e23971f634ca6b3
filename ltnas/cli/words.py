"""Words of a command line: those given, and those that would set given values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def task_words() -> list[str]:
    """Return the words of the command line that set keys and choices of the present job."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task)


def compose_beside(name: str, words: Sequence[str]) -> object:
    """Compose the typed configuration of another command while one runs."""
    from hydra import compose
    from omegaconf import OmegaConf

    return OmegaConf.to_object(compose(name, list(words)))


def words_of(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the words of a command line that would set nested settings."""
    words = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            words += words_of(value, f"{prefix}{key}.")
        else:
            words.append(f"{prefix}{key}={_quoted(value)}")
    return words


def _quoted(value: object) -> str:
    """Return a value in Hydra's grammar."""
    from hydra.core.override_parser.types import Quote, QuotedString

    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(_quoted, value))}]"
    if isinstance(value, str):
        return QuotedString(value, Quote.single).with_quotes()
    return str(value)
