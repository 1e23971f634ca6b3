"""Messages of one line for errors that a user can mend."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Sequence
from typing import Any

from ltnas import config as c
from ltnas.errors import UserError


def refuse_new_keys(schema: type[c.Run], overrides: Sequence[str]) -> None:
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


def user_message(error: BaseException) -> str | None:
    """Return one line for an error that the user can mend; None for any other."""
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    for cause in (error, error.__cause__):  # Hydra wraps a UserError to say where it was raised
        if isinstance(cause, UserError):
            return str(cause)
    if isinstance(error, OSError) and any(
        frame.name == "mkdir" for frame in traceback.extract_tb(error.__traceback__)
    ):
        return (
            f"{error.filename}: no folder can be made there ({error.strerror}); take another by "
            "runs=FOLDER"
        )
    if isinstance(error, MissingConfigException):
        return _unknown_choice(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = error.__cause__
        return _unknown_key(cause if isinstance(cause, OmegaConfBaseException) else error)
    if isinstance(error, ValueError) and str(error).startswith("Only one of --run"):
        return f"{error}: leave all but one out"
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        # hydra's only plain error: imbalance=0.1, logger=null
        return f"{error}: give the name of a choice, for example imbalance=exp0.1 (--help lists)"
    return None


def _unknown_choice(error: Any) -> str:  # noqa: ANN401 - hydra's class is untyped
    """Return `scheme=dart is not known: did you mean scheme=darts? ...` for a failed look-up."""
    missing, options = str(error.missing_cfg_file), [str(option) for option in error.options or ()]
    group, _, name = missing.rpartition("/")
    if not options:
        return " ".join(str(error).split())
    if group == "hydra/launcher" and name.startswith("submitit"):
        return "hydra/launcher=slurm needs a package that is not there: pip install 'ltnas[slurm]'"
    close = difflib.get_close_matches(name, options, n=1)
    hint = f"did you mean {group}={close[0]}? " if close else ""
    return f"{group}={name} is not known: {hint}choose one of {', '.join(options)}"


def _unknown_key(error: BaseException) -> str:
    """Return the message of a composition error in one line, and where to look."""
    text = [line.strip() for line in str(error).splitlines() if line.strip()]
    noise = ("object_type=", "reference_type=", "To append to your default list")
    lines = [line for line in text if not line.startswith(noise)]
    return f"{'; '.join(lines)} (--help lists the keys, --cfg job shows their values)"
