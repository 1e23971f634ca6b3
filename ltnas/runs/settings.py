"""Settings and provenance of a run, written into its folder before it begins."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ltnas.config import Run, Trainer
from ltnas.config.axis import choices
from ltnas.runs.fingerprint import (
    Settings,
    as_meant,
    changes,
    defaults,
    fingerprint,
    without_defaults,
)
from ltnas.runs.folder import RunFolder
from ltnas.runs.paths import PATHS
from ltnas.runs.provenance import device_name, provenance

CONFIG, PROVENANCE = "config.yaml", "provenance.json"


def write_settings(folder: RunFolder, config: Run) -> None:
    """Write config.yaml and provenance.json; a resumed run leaves the files of its first start.

    Where they do not fit the resumed run, a note is printed: config.yaml was edited meanwhile,
    which has no effect, or the run continues on another device or with another number of threads.
    """
    if not folder.writes:
        return
    if (folder.path / PROVENANCE).exists():
        _keep_config(folder, config)
        _compare_device(folder, config.trainer)
        return
    _write_config(folder, config)
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    folder.write_json(PROVENANCE, provenance(spec.name if spec else "ltnas", config.trainer))


def _write_config(folder: RunFolder, config: Run) -> None:
    from omegaconf import OmegaConf

    data: dict[str, Any] = {**asdict(config), "axes": choices(config)}
    folder.write_text(CONFIG, OmegaConf.to_yaml(OmegaConf.create(data)))


def _keep_config(folder: RunFolder, config: Run) -> None:
    """Write config.yaml anew if it was edited, so that it says what the run does."""
    wanted = fingerprint(config)
    edited = _edited_config(folder.path / CONFIG, wanted)
    if not edited:
        return
    there = ", ".join(f"{key} is {value[0]}" for key, value in edited.items())
    kept = " ".join(f"{key}={value[1]}" for key, value in edited.items())
    print(
        f"note: {folder.path / CONFIG} was edited ({there} there): the run goes on with {kept}, "
        "and the file is written anew",
        flush=True,
    )
    _write_config(folder, config)


def _edited_config(path: Path, wanted: Settings) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ between a config.yaml and a fingerprint: there, and here.

    Only settings that decide the result are compared, without paths: files may be moved between
    the starts of a run. A file that cannot be read, or is of version 0.1.0, has no differences.
    """
    written = _read_config(path)
    if written is None:
        return {}
    stored = without_defaults(wanted["command"], as_meant(written))
    known = defaults(wanted["command"], wanted)
    return {
        key: values
        for key, values in changes(stored, wanted).items()
        if key in known and key not in PATHS
    }


def _read_config(path: Path) -> Settings | None:
    """Return the settings of a config.yaml by dotted keys, axes by their names; None without."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        data = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, ValueError, YAMLError, OmegaConfBaseException):
        return None
    axes = data.pop("axes", None) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(axes, dict):
        return None
    settings: Settings = {str(key): name for key, name in axes.items()}
    for key, value in ((str(key), value) for key, value in data.items()):
        if isinstance(value, dict) or key not in axes:
            settings |= _dotted(key, value)
    return settings


def _dotted(key: str, value: object) -> Settings:
    """Return the values of nested dictionaries by dotted keys."""
    if not isinstance(value, dict):
        return {key: value}
    settings: Settings = {}
    for name, inner in value.items():
        settings |= _dotted(f"{key}.{name}", inner)
    return settings


def _compare_device(folder: RunFolder, trainer: Trainer) -> None:
    """Print a note if another device, or another number of threads, goes on with the run."""
    stored = folder.read_json(PROVENANCE)
    before = stored.get("device") if isinstance(stored, dict) else None
    now = device_name(trainer)
    if before not in (None, now):
        print(
            f"note: {folder.path} began on {before}, and continues on {now}: its results will not "
            "be bit-identical to those of an uninterrupted run",
            flush=True,
        )
