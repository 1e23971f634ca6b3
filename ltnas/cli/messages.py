"""Messages of one line for errors that a user can mend."""

from __future__ import annotations

import difflib
import itertools
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ltnas.cli.config_files import unreadable_file
from ltnas.cli.quoting import may_be_structure, quoted_word
from ltnas.cli.words import unknown_flags
from ltnas.errors import UserError
from ltnas.runs.folder import is_run_folder

FACTOR_NAME = re.compile(r"(exp|step)(\d+(?:\.\d+)?)")
"""Name of an imbalance that is made of a kind and a number, such as `exp100`."""
RENAMED = {"crt.learning_rate": "crt.weights.learning_rate"}
"""Keys of earlier versions, and what they are called now."""
AMBIGUOUS = re.compile(r"Ambiguous value for argument '(.*)'")
"""First line of Hydra's message for a value with commas outside a multirun."""
CONSTANT = re.compile(r"In '([^']+)/([^/']+)': ConfigKeyError .*full_key: ([\w.]+)\.(\w+)", re.S)
"""Hydra's message for a file with a constant that the chosen value on an axis does not have."""


def refuse_new_keys(schema: type[object], overrides: Sequence[str]) -> None:
    """Raise a `UserError` for words that add or delete keys, which the schema does not allow."""
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if override.startswith("~"):
            raise UserError(
                f"{override}: nothing can be taken away; set {key} to another value (--help lists "
                "them), or leave the word out for the default"
            )
        if override.startswith("+") and key.split(".")[0] != "experiment":
            raise UserError(
                f"{override}: {schema.__name__} has no key {key} to be added; leave out the + if "
                "you mean one that is there (--cfg job shows them)"
            )


def refuse_run_folders(words: Sequence[str]) -> None:
    """Raise a `UserError` for a run folder in a place of a folder of configuration files."""
    for word in words:
        before, equals, value = word.partition("=")
        if equals and not before.startswith("-"):  # sets a key
            continue
        folder = value if equals else word
        if folder and is_run_folder(folder):
            raise UserError(
                f"{folder} is a run folder, not a folder of configuration files: to repeat the "
                f"run, type the command in {Path(folder) / 'provenance.json'}; to go on with it, "
                f"add resume={folder} to that command"
            )


def refuse_unknown_flags(words: Sequence[str]) -> None:
    """Raise a `UserError` for keys that are typed as flags, such as `--epochs=1`."""
    typed = unknown_flags(words)
    if typed:
        raise UserError(f"keys have no dashes: write {' '.join(typed)} (--help lists them)")


def refuse_file_without_schema(name: str | None, command: str) -> NoReturn:
    """Raise a `UserError` for a primary configuration file that no command can start from.

    Args:
        name: name of the file, as `--config-name` gives it.
        command: name of the command.
    """
    raise UserError(
        f"--config-name {name}: this file is no configuration of ltnas.{command} to start from, "
        f"because its defaults list lacks {command}; leave the flag out and give the file as "
        f"experiment={name}, or to repeat a run type the command in its provenance.json"
    )


def user_message(error: BaseException) -> str | None:
    """Return one line for an error that the user can mend; None for any other."""
    ours = _user_error(error)
    if ours is not None:
        return str(ours)

    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    unreadable = unreadable_file(error)
    if unreadable is not None:
        return unreadable
    if isinstance(error, OSError) and _is_of_sweep_folder(error):
        return (
            f"{error.filename}: no folder can be made there ({error.strerror}); take another by "
            "runs=FOLDER"
        )
    if isinstance(error, MissingConfigException):
        return _unknown_choice(error)
    if isinstance(error, OverrideParseException):
        return _unreadable_word(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = error.__cause__
        return _unknown_key(cause if isinstance(cause, OmegaConfBaseException) else error)
    if isinstance(error, ValueError) and str(error).startswith("Only one of --run"):
        return f"{error}: leave all but one out"
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        return f"{error}: give the name of a choice, for example imbalance=exp0.1 (--help lists)"
    if isinstance(error, ValueError) and str(error).startswith("Invalid defaults list"):
        return f"{error}: write each of its lines as - GROUP: CHOICE"
    return None


def _user_error(error: BaseException) -> UserError | None:
    """Return an error, or what it wraps, if that is a `UserError`."""
    if isinstance(error, UserError):
        return error
    # Hydra and OmegaConf wrap a UserError to say where it was raised; OmegaConf, in an expression
    # of a configuration file, without `from`.
    of_omegaconf = type(error).__module__.startswith("omegaconf.")
    wrapped = error.__cause__ or (error.__context__ if of_omegaconf else None)
    return None if wrapped is None else _user_error(wrapped)


def _is_of_sweep_folder(error: OSError) -> bool:
    """Return True for an error in a call of `mkdir` by Hydra or a launcher."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(
        called.f_code.co_name == "mkdir"
        and caller.f_globals.get("__name__", "").partition(".")[0] in ("hydra", "hydra_plugins")
        for caller, called in itertools.pairwise(frames)
    )


def _unknown_choice(error: Any) -> str:  # noqa: ANN401 - hydra's class is untyped
    """Return `scheme=dart is not known: did you mean scheme=darts? ...` for a failed look-up."""
    missing, options = str(error.missing_cfg_file), [str(option) for option in error.options or ()]
    group, _, name = missing.rpartition("/")
    if not options:
        return " ".join(str(error).split())
    if group == "hydra/launcher" and name.startswith("submitit"):
        return "hydra/launcher=slurm needs a package that is not there: pip install 'ltnas[slurm]'"
    if group == "imbalance" and (match := FACTOR_NAME.fullmatch(name)) and float(match[2]):
        return _unknown_factor(match[1], float(match[2]), name, options)
    close = difflib.get_close_matches(name, options, n=1)
    hint = f"did you mean {group}={close[0]}? " if close else ""
    return f"{group}={name} is not known: {hint}choose one of {', '.join(options)}"


def _unknown_factor(kind: str, number: float, name: str, options: Sequence[str]) -> str:
    """Return the message for a kind of imbalance with a factor that has no name of its own."""
    factor = f"{1 / number if number > 1 else number:g}"
    ratio = (
        f"as a ratio of the smallest class to the largest, {number:g} is {factor}; "
        if number > 1
        else ""
    )
    choice = (
        f"{kind}{factor}" if f"{kind}{factor}" in options else f"{kind} imbalance.factor={factor}"
    )
    return f"imbalance={name} is not known: {ratio}take imbalance={choice}"


def _unreadable_word(error: Any) -> str:  # noqa: ANN401 - hydra's class is untyped
    """Return the message for a word that Hydra's grammar refuses, with the word to type instead."""
    override, typed = str(error.override), quoted_word(str(error.override))
    if typed is not None and not may_be_structure(override):
        return (
            f"{override}: a text with quotes, ( ) # = ~ or letters beyond a to z must be quoted: "
            f"type {typed}"
        )
    reason = str(error).splitlines()[0].removeprefix("LexerNoViableAltException: ")
    reason = "" if override in reason else f" ({reason})"
    as_text = "" if typed is None else f"; if the value is a text, type {typed}"
    return f"{override} cannot be read as key=value{reason}: --help shows examples{as_text}"


def _unknown_key(error: BaseException) -> str:
    """Return the message of a composition error in one line, and where to look."""
    old = str(getattr(error, "full_key", "")).removeprefix("retrain.")
    if old in RENAMED:
        return (
            f"{old} is now {RENAMED[old]}, one of the keys of an optimiser of its own: write "
            f"{RENAMED[old]}=... (retrain.{RENAMED[old]}=... for ltnas.pipeline)"
        )
    text = [line.strip() for line in str(error).splitlines() if line.strip()]
    noise = ("object_type=", "reference_type=", "To append to your default list")
    lines = [line for line in text if not line.startswith(noise)]
    match = AMBIGUOUS.fullmatch(text[0]) if text else None
    if (constant := CONSTANT.match(str(error))) is not None:
        group, name, axis, key = constant.groups()
        return (
            f"{group}={name} sets {axis}.{key}, which the value chosen for {axis} does not have: "
            f"leave out {axis}=..., or take another {group}; in a file of your own, correct the key"
        )
    hint = _near_key(error)
    if match is not None and (typed := quoted_word(match[1])) is not None:
        return (
            f"{match[1]}: a comma separates the values of a sweep, which needs -m; for a text with "
            f"a comma type {typed}, for a list KEY=[VALUE,VALUE]"
        )
    return f"{'; '.join(lines)}{hint} (--help lists the keys, --cfg job shows their values)"


def _near_key(error: Any) -> str:  # noqa: ANN401 - omegaconf's class is untyped
    """Return `: did you mean epochs?` for an unknown key that resembles a known one, or nothing."""
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError

    if not isinstance(error, ConfigAttributeError | ConfigKeyError) or error.parent_node is None:
        return ""
    known = [str(key) for key in error.parent_node]
    close = difflib.get_close_matches(str(error.key), known, n=1)
    prefix = str(error.full_key or "").rpartition(".")[0]
    return f": did you mean {'.'.join(filter(None, (prefix, close[0])))}?" if close else ""
