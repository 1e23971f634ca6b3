"""Words of a command line: those given, and those that would set given values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

VALUE_FLAGS = (
    *("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn"),
    *("--cfg", "-c", "--package", "-p", "--experimental-rerun"),
)
"""Flags of Hydra that are followed by a value."""
PLAIN_FLAGS = (
    *("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r"),
    *("--multirun", "-m", "--shell-completion", "-sc"),
)
"""Flags of Hydra that stand alone."""
INFO_FLAGS = ("--info", "-i")
INFO_VALUES = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
"""Values that may follow `INFO_FLAGS`, or be left out."""

MEANT_AS_TYPED = re.compile(r"""['"\\\[\]{}]""")
"""Characters of a value that is already written in Hydra's grammar."""
PLAIN_ITEM = re.compile(r"[A-Za-z0-9_./-]*")
"""Item of a list that means itself in Hydra's grammar."""


def flags_first(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with Hydra's flags and their values before all others.

    Hydra's parser takes only one group of words without a dash: those behind a later flag are
    "unrecognized arguments". The order within flags and within other words stays.
    """
    flags: list[str] = []
    others: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            others.append(word)
            continue
        flags.append(word)
        following = rest[0] if rest else "-"
        if _is_flag(word, INFO_FLAGS):  # without its value it would take the next word for one
            flags.append(rest.pop(0) if following in INFO_VALUES else "all")
        elif _is_flag(word, VALUE_FLAGS) and not following.startswith("-"):
            flags.append(rest.pop(0))
    return [*flags, *others]


def unknown_flags(words: Sequence[str]) -> list[str]:
    """Return keys with values that were typed as flags, as they must be typed: `epochs=1`.

    The value may be part of the word or the next one: `--epochs=1`, `--epochs 1`.
    """
    typed = []
    known = (*VALUE_FLAGS, *PLAIN_FLAGS, *INFO_FLAGS)
    for word, following in zip(words, [*words[1:], "-"], strict=True):
        name, equals, value = word.partition("=")
        # One dash and letters may be a short flag with its value, such as -cnfile.
        if not name.startswith("--") or len(name) < 4 or _is_flag(name, known):
            continue
        if not equals:
            value = "VALUE" if following.startswith("-") or "=" in following else following
        typed.append(f"{name.lstrip('-').replace('-', '_')}={value}")
    return typed


def _is_flag(word: str, flags: Sequence[str]) -> bool:
    """Return True if a word is one of the flags, or the beginning of one that starts with --."""
    return word in flags or (len(word) > 2 and any(flag.startswith(word) for flag in flags))


def with_resolve(words: Sequence[str]) -> list[str]:
    """Return words in which `--cfg job` is followed by `--resolve`.

    What it prints are then the numbers of the run, and not the expressions of a recipe.
    """
    shown = {"--cfg=job", "-cjob"}.intersection(words) or any(
        word in ("--cfg", "-c") and following == "job" for word, following in pairwise(words)
    )
    return [*words, "--resolve"] if shown and "--resolve" not in words else list(words)


def with_lists(words: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Return words in which the values of keys are lists in Hydra's grammar.

    `genotype=a,b` becomes `genotype=[a,b]`, so that a list is typed like any other value. Items
    with characters that have a meaning in the grammar, as in `images=My photos (1)`, become texts.

    Args:
        words: words of a command line.
        keys: keys whose values are lists.
    """
    return [_with_list(word) if word.partition("=")[0] in keys else word for word in words]


def _with_list(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or value.startswith("["):
        return word
    if not MEANT_AS_TYPED.search(value):
        value = ",".join(_item(item) for item in value.split(","))
    return f"{key}=[{value}]"


def _item(item: str) -> str:
    """Return an item of a list in Hydra's grammar, with quotes if it needs them."""
    return item if PLAIN_ITEM.fullmatch(item) else f"'{item}'"


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
