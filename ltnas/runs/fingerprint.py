"""Fingerprints: the settings that decide the result of a run.

A fingerprint is a flat JSON object: the version of this format, the command, and by dotted keys as
on the command line those settings that are not the defaults. An axis appears by the name of its
value, for example `"relaxation": "sigmoid"`, and the constants of this value only where they differ
from the value's own defaults. Thus a class can be renamed, and a field with a default added,
without making stored fingerprints differ from new ones. Paths are absolute. See
`ltnas.runs.comparison` for when two runs are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from ltnas.config import Data, PipelineConfig, RetrainConfig, Run, SearchConfig
from ltnas.config.axis import choices, name_of, table_of
from ltnas.runs.fingerprint_0_1_0 import is_of_0_1_0, settings_of_0_1_0
from ltnas.runs.folder import RunFolder
from ltnas.runs.paths import resolved
from ltnas.space.layout import chosen_stem

Settings = dict[str, Any]
"""Settings by dotted keys."""
VERSION = 2
"""Version of the format of fingerprint files."""
COMMANDS: dict[str, type[Run]] = {"search": SearchConfig, "retrain": RetrainConfig}
"""Configuration class of each command that makes run folders."""
OLDER_VALUES = {"weight_normalisation": "classes"}
"""Constants of which older versions had one value, which is not today's default."""
OPTIMISERS = "stages.optimisers"
"""Key that says if each stage of a training has an optimiser of its own; no setting."""
CHECKSUMS = "checksums"
"""Key of fingerprint files for the checksums of what the paths lead to; no setting."""
FREE_KEYS = {
    *("resume", "runs", "logger", "trainer", "graphs"),
    *(f"{data}.{key}" for data in ("data", "second_data") for key in ("cache", "placement")),
}
"""Keys that a resumed run may change, because the result depends on them by rounding at most."""


def fingerprint(config: Run) -> Settings:
    """Return the fingerprint of a configuration.

    Raises:
        TypeError: the configuration has a value that is in no table of an axis.
    """
    names, settings = choices(config), Settings()
    for declared in fields(config):
        if declared.name in names:
            settings[declared.name] = names[declared.name]
        settings |= dotted(declared.name, getattr(config, declared.name))
    return without_defaults(command_of(config), resolved(as_meant(settings)))


def as_meant(settings: Settings) -> Settings:
    """Return all settings of a run with what they stand for, where the words alone do not say it.

    Older versions read some of the same words in another way.
    """
    meant = {**settings, **_without_effect(settings), **_optimisers(settings)}
    return {**meant, "stem": _written_stem(settings)} if "stem" in settings else meant


def _written_stem(settings: Settings) -> str:
    """Return the stem for a fingerprint: `auto` only where the result is that of older runs.

    `stem=auto` is the default and not written. Before it there was, the default was `cifar`, which
    `auto` stands for except with large images; there, what it stands for is written.
    """
    stem, image_size = settings["stem"], settings.get("data.image_size")
    if stem == "auto" and image_size is not None and chosen_stem(stem, image_size) == "imagenet":
        return "imagenet"
    return str(stem)


def _without_effect(settings: Settings) -> Settings:
    """Return the value of older runs for each scale of class weights where there are none."""
    return {
        key: OLDER_VALUES[name]
        for key in settings
        for axis, _, name in [key.rpartition(".")]
        if name == "weight_normalisation" and settings.get(f"{axis}.reweight") == "none"
    }


def _optimisers(settings: Settings) -> Settings:
    """Return a mark of trainings of several stages, which once shared an optimiser."""
    stages = settings.get("crt.epochs", 0) or settings.get("pretrain_epochs", 0)
    return {OPTIMISERS: "own"} if stages else {}


def is_one_run(config: Run) -> bool:
    """Return True for the configuration of a command that makes one run folder."""
    return not isinstance(config, PipelineConfig)


def command_of(config: Run) -> str:
    """Return the command of a configuration.

    Raises:
        TypeError: it is that of no single run, such as a pipeline's.
    """
    for command, schema in COMMANDS.items():
        if is_one_run(config) and isinstance(config, schema):
            return command
    raise TypeError(f"{type(config).__name__} is not the configuration of one run")


def without_defaults(command: str, settings: Settings) -> Settings:
    """Return the fingerprint of all settings of a command: those that are not the defaults."""
    known = defaults(command, settings)
    kept = {
        key: value
        for key, value in settings.items()
        if not is_free(key) and (key not in known or known[key] != value)
    }
    return {"version": VERSION, "command": command, **kept}


def is_free(key: str) -> bool:
    """Return True if a resumed run may change the setting."""
    return key in FREE_KEYS or key.partition(".")[0] in FREE_KEYS


def dotted(key: str, value: object) -> Settings:
    """Return the fields of nested dataclasses by dotted keys; any other value by its own key."""
    if not is_dataclass(value):
        return {key: _plain(value)}
    settings: Settings = {}
    for field in fields(value):
        settings |= dotted(f"{key}.{field.name}", getattr(value, field.name))
    return settings


def _plain(value: object) -> object:
    """Return a value as a JSON file gives it back: tuples of Python code as lists."""
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def defaults(command: str, chosen: Mapping[str, Any]) -> Settings:
    """Return what a missing setting of a fingerprint stands for: the default, or an older one.

    Args:
        command: `search` or `retrain`.
        chosen: names of the values on axes that are not the default; they decide which constants
            there are, and their defaults.
    """
    settings: Settings = {OPTIMISERS: "shared"} if command == "retrain" else {}
    if any(key.startswith("second_data.") for key in chosen):
        settings |= dotted("second_data", Data())
    for declared in fields(COMMANDS[command]):
        table = table_of(declared)
        if table is None:
            settings |= dotted(declared.name, _default(declared))
            continue
        name = name_of(declared.name, table, declared.default_factory)
        settings[declared.name] = name
        kind = table.get(chosen.get(declared.name, name))
        for constant in fields(kind) if kind else ():
            settings[f"{declared.name}.{constant.name}"] = OLDER_VALUES.get(
                constant.name, _default(constant)
            )
    return settings


def _default(declared: Field[Any]) -> Any:  # noqa: ANN401 - a field has any type
    """Return the default of a dataclass field; None if it has none."""
    if declared.default_factory is not MISSING:
        return declared.default_factory()
    return None if declared.default is MISSING else declared.default


def translated(data: object) -> Settings | None:
    """Return the content of a fingerprint file as a fingerprint of this version.

    Runs of version 0.1.0 are recognised; None for anything else, such as a later version. Paths
    are as they were written.
    """
    if not isinstance(data, dict):
        return None
    if is_of_0_1_0(data):
        command = "retrain" if "genotype" in data else "search"
        settings = settings_of_0_1_0(data)
        return settings and without_defaults(command, settings)
    known = data.get("version") == VERSION and data.get("command") in COMMANDS
    return {key: data[key] for key in data if key != CHECKSUMS} if known else None


def stored_fingerprint(folder: Path) -> Settings | None:
    """Return the fingerprint of a run folder; None if it has none that this version can read."""
    settings = translated(RunFolder(folder).read_json("fingerprint.json"))
    return settings and resolved(settings)


def stored_checksums(folder: Path) -> Mapping[str, str]:
    """Return the checksums that a run folder has of what its paths led to, by the paths' keys."""
    data = RunFolder(folder).read_json("fingerprint.json")
    checksums = data.get(CHECKSUMS) if isinstance(data, dict) else None
    return checksums if isinstance(checksums, dict) else {}


def differences(stored: Settings, wanted: Settings) -> list[str]:
    """Return the settings that differ between two fingerprints, as `epochs was 40, now 50`."""
    if stored["command"] != wanted["command"]:
        return [f"it was ltnas.{stored['command']}, now ltnas.{wanted['command']}"]
    return [
        f"{key} was {before}, now {now}" for key, (before, now) in changes(stored, wanted).items()
    ]


def changes(stored: Settings, wanted: Settings) -> dict[str, tuple[Any, Any]]:
    """Return the values in two fingerprints of one command of each setting that differs."""
    before, now = (defaults(prints["command"], prints) | prints for prints in (stored, wanted))
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    # If an axis has another value, its constants mean something else: the name says enough.
    return {
        key: (before.get(key), now.get(key))
        for key in changed
        if key.partition(".")[0] not in changed or "." not in key
    }
