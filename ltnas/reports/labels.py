"""Words that tell configurations apart, as they are said on a command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ltnas.config import RetrainConfig, SearchConfig
from ltnas.config.axes import AXES
from ltnas.reports.runs import flat
from ltnas.runs.fingerprint import fingerprint_of

Settings = Mapping[str, str]

OF_A_SEARCH = flat(fingerprint_of(SearchConfig()))
DEFAULTS = flat(fingerprint_of(RetrainConfig(genotype="-"))) | {
    f"search.{key}": value for key, value in OF_A_SEARCH.items()
}
"""Settings of a training and, under `search.`, of its search that need not be said."""
NOT_SAID = ("seed", "genotype", "search.seed")


def told_apart(members: Sequence[Settings], defaults: Settings) -> list[str]:
    """For each configuration what is not default of that in which they differ.

    Values on axes alone, if these are enough to tell them apart.
    """
    values: dict[str, set[str]] = {}
    for settings in members:
        for key, value in settings.items():
            values.setdefault(key, set()).add(value)
    varying = [key for key, found in values.items() if len(found) > 1 and key not in NOT_SAID]
    every = [[key for key in varying if said(key, own, defaults)] for own in members]
    on_axes = [[key for key in keys if "." not in key.removeprefix("search.")] for keys in every]
    short = [
        spoken(own, axes or keys) for own, axes, keys in zip(members, on_axes, every, strict=True)
    ]
    often = Counter(short)
    return [
        words if often[words] == 1 else spoken(own, keys)
        for words, own, keys in zip(short, members, every, strict=True)
    ]


def said(key: str, settings: Settings, defaults: Settings) -> bool:
    """Whether a setting is there and not the default."""
    return key in settings and settings[key] != defaults.get(key)


def spoken(settings: Settings, keys: Iterable[str]) -> str:
    """Settings as the words of a command line."""
    return " ".join(_word(key, settings[key]) for key in keys)


def _word(key: str, value: str) -> str:
    for name, node in AXES.get(key.removeprefix("search."), {}).items():
        if node.__name__ == value:
            return f"{key}={name}"
    return f"{key}={value}"
