"""Text on a command line, quoted for Hydra and for a shell."""

from __future__ import annotations

import re
import shlex

MEANT_OTHERWISE = re.compile(
    r"[\[{]|(int|str|bool|float|json_str|choice|range|interval|tag|sort|shuffle|glob)\("
)
"""Start of a value that is probably a list, a mapping or a function of Hydra's grammar."""


def quoted_word(override: str) -> str | None:
    """Return a word `key=value` as it must be typed in a shell for its value to be a text.

    Hydra's grammar gives a meaning to quotes, parentheses and other characters, and knows no
    letters beyond a to z.

    Args:
        override: word as the command has received it.

    Returns:
        The word with its value in quotes of Hydra's grammar, and all of it in quotes of the shell;
        None if the word is wrong for another reason than its value.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Quote, QuotedString
    from hydra.errors import HydraException

    key, equals, text = override.partition("=")
    if not key or not equals:
        return None
    words = [f"{key}={QuotedString(text, quote).with_quotes()}" for quote in Quote]
    try:
        OverridesParser.create().parse_overrides(words)
    except HydraException:
        return None
    return min((form for word in words for form in _shell_forms(word)), key=len)


def may_be_structure(override: str) -> bool:
    """Return True if the value of a word looks like a list, a mapping or a function call."""
    return MEANT_OTHERWISE.match(override.partition("=")[2]) is not None


def _shell_forms(word: str) -> list[str]:
    """Return ways to type a word in a shell; the first is always possible."""
    forms = [shlex.quote(word)]
    if "!" not in word:  # interactive shells expand it even in double quotes
        escaped = re.sub(r'([\\"$`])', r"\\\1", word)
        forms.append(f'"{escaped}"')
    return forms
