"""Labels that tell configurations apart, in words of the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from ltnas.config import AXES, RetrainConfig, SearchConfig

Settings = Mapping[str, str]
"""Settings that differ from the defaults, by dotted keys; those of a search under `search.`."""

NOT_SAID = ("seed", "genotype", "command", "search.seed", "search.command")
"""Keys that are never part of a label."""
PLACES = {
    field.name: place
    for schema in (SearchConfig, RetrainConfig)
    for place, field in enumerate(fields(schema))
}
"""Place of each top-level key in its configuration."""


def told_apart(members: Sequence[Settings]) -> list[str]:
    """Return for each configuration those of its settings in which the members differ.

    Settings without a dot alone, values on axes for example, where these are enough.
    """
    keys = {key for settings in members for key in settings if key not in NOT_SAID}
    varying = {key for key in keys if len(_values(key, members)) > 1}
    differing = [[key for key in settings if key in varying] for settings in members]
    short = [
        spoken(settings, [key for key in keys if "." not in key.removeprefix("search.")] or keys)
        for settings, keys in zip(members, differing, strict=True)
    ]
    counts = Counter(short)
    return [
        words if counts[words] == 1 else spoken(settings, keys)
        for words, settings, keys in zip(short, members, differing, strict=True)
    ]


def _values(key: str, members: Sequence[Settings]) -> set[str | None]:
    """Return the values of a key, None being the default.

    A training whose search is not there has no values of a search.
    """
    of_search = key.startswith("search.")
    return {s.get(key) for s in members if not of_search or "search.command" in s}


def spoken(settings: Settings, keys: Iterable[str]) -> str:
    """Return settings as the words of a command line, values on axes last."""
    return " ".join(f"{key}={settings[key]}" for key in sorted(keys, key=_place))


def _place(key: str) -> tuple[bool, bool, int]:
    """Return the place of a key in a label: training before search, axes last in each."""
    plain = key.removeprefix("search.")
    return plain != key, plain in AXES, PLACES.get(plain.partition(".")[0], len(PLACES))
