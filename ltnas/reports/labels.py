"""Labels that tell configurations apart, in words of the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from ltnas.config import AXES, RetrainConfig, SearchConfig
from ltnas.reports.runs import NOT_OF_A_GROUP
from ltnas.runs.fingerprint import OPTIMISERS

Settings = Mapping[str, str]
"""Settings that differ from the defaults, by dotted keys; those of a search under `search.`."""

NOT_SAID = tuple(
    f"{prefix}{key}"
    for prefix in ("", "search.")
    for key in (*NOT_OF_A_GROUP, "command", OPTIMISERS)
)
"""Keys that are never part of a label, because they are no words of a command line or no choice."""
PLACES = {
    field.name: place
    for schema in (SearchConfig, RetrainConfig)
    for place, field in enumerate(fields(schema))
}
"""Place of each top-level key in its configuration."""


def told_apart(members: Sequence[Settings]) -> list[str]:
    """Return for each configuration all of its settings in which the members differ."""
    keys = {key for settings in members for key in settings if key not in NOT_SAID}
    varying = {key for key in keys if len(_values(key, members)) > 1}
    return [spoken(settings, [key for key in settings if key in varying]) for settings in members]


def numbered(names: Sequence[str]) -> list[str]:
    """Return the names with a number after each that repeats an earlier one, as `darts (2)`."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})".strip())
    return result


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
