"""Download of data sets from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from ltnas.errors import UserError
from ltnas.runs.packages import extra_package

PATTERN = "*.parquet"
CONVERTED = "refs/convert/parquet"
"""Revision in which the hub keeps its own conversion of data sets to Parquet."""


def downloaded(name: str) -> Path:
    """Download the Parquet files of a data set, or take them from the cache of huggingface_hub.

    Args:
        name: OWNER/NAME of the data set.

    Returns:
        Folder of the files, whose name is the commit.

    Raises:
        UserError: the package is missing, or the data set cannot be downloaded or has no such
            files.
    """
    hub = extra_package("huggingface_hub", "hub")
    refusals = extra_package("huggingface_hub.errors", "hub").HfHubHTTPError
    for revision in (None, CONVERTED):
        try:
            folder = hub.snapshot_download(
                name, repo_type="dataset", revision=revision, allow_patterns=[PATTERN]
            )
        except (refusals, OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"data.hub={name} cannot be downloaded ({reason}): check the name and the "
                "network, or use data=parquet data.root=PATH"
            ) from error
        if next(Path(folder).rglob(PATTERN), None) is not None:
            return Path(folder)
    raise UserError(f"data.hub={name} has no Parquet files: download it, and use data=folder")
