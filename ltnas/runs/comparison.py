"""Comparison of a run that is asked for with those that are stored.

Two runs are the same if their settings are equal, and their paths lead to the same data set and
genotype: the checksum of the content decides, so that files may be moved. The absolute path decides
where there is no checksum: in folders of older versions, and if the files cannot be read now.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from ltnas.config import Run
from ltnas.errors import UserError
from ltnas.runs.fingerprint import (
    CHECKSUMS,
    Settings,
    differences,
    fingerprint,
    stored_checksums,
    stored_fingerprint,
)
from ltnas.runs.paths import PATHS, genotype_checksum

DataChecksum = Callable[[Run], str]
"""Function that loads the data set of a configuration and returns its checksum."""


class WantedRun:
    """A run that is asked for.

    Args:
        config: configuration of the run.
        data_checksum: checksum of the data set, or a function that computes it where needed.
    """

    def __init__(self, config: Run, data_checksum: str | DataChecksum) -> None:
        self.config, self._data_checksum = config, data_checksum
        self.settings: Settings = fingerprint(config)

    @cached_property
    def checksums(self) -> dict[str, str]:
        """Checksums of what the paths lead to, by the keys of the paths."""
        checksums = {key: self._checksum(key) for key in PATHS}
        return {key: checksum for key, checksum in checksums.items() if checksum is not None}

    def _checksum(self, key: str) -> str | None:
        """Return the checksum of what a path leads to; None if it cannot be read."""
        if key == "genotype":
            return genotype_checksum(self.settings.get("genotype", ""))
        if key != "data.root" and key not in self.settings:
            return None
        return self._checksum_of_data

    @cached_property
    def _checksum_of_data(self) -> str | None:
        """Checksum of the data set; None if it cannot be loaded."""
        if isinstance(self._data_checksum, str):
            return self._data_checksum
        try:
            return self._data_checksum(self.config)
        except UserError:
            return None

    def to_json(self) -> dict[str, Any]:
        """Return the content of the fingerprint file of a new run folder."""
        return {**self.settings, CHECKSUMS: self.checksums}

    def is_in(self, folder: Path) -> bool:
        """Return True if a folder holds this run, finished or not."""
        stored = stored_fingerprint(folder)
        if stored is None or _without_paths(stored) != _without_paths(self.settings):
            return False
        # The data set last, because it may have to be loaded.
        return all(self._leads_to_the_same(key, stored, folder) for key in reversed(PATHS))

    def differences(self, folder: Path, stored: Settings) -> list[str]:
        """Return the differences of the stored run from this one, as `epochs was 40, now 50`."""
        same = {key for key in PATHS if self._leads_to_the_same(key, stored, folder)}
        now = {**self.settings, **{key: stored[key] for key in same & set(stored)}}
        before = {**stored, **{key: now[key] for key in same & set(now)}}
        contents = [
            f"the content of {key} has changed"
            for key in PATHS
            if key not in same and before.get(key) == now.get(key)
        ]
        return [*differences(before, now), *contents]

    def _leads_to_the_same(self, key: str, stored: Settings, folder: Path) -> bool:
        """Return True if a path of the stored run leads to the same as that of this run."""
        before = stored_checksums(folder).get(key)
        now = None if before is None else self._checksum(key)
        if now is None:
            return bool(stored.get(key) == self.settings.get(key))
        return before == now


def _without_paths(settings: Settings) -> Settings:
    return {key: value for key, value in settings.items() if key not in PATHS}
