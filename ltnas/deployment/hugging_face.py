"""Trained networks on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ltnas.errors import UserError
from ltnas.models.saved import DESCRIPTION, WEIGHTS
from ltnas.reports.model_card import CARD
from ltnas.runs.packages import extra_package

FILES = {
    WEIGHTS: WEIGHTS,
    DESCRIPTION: DESCRIPTION,
    "genotype.json": "genotype.json",
    "cells.png": "cells.png",
    CARD: "README.md",
}
"""Files of a run that are uploaded, with their names in the repository.

Files that may contain paths of the user's machine, such as metrics.json, are not among them.
"""


def push(folder: Path, repository: str, private: bool) -> str:
    """Upload the network of a run folder in one commit, and return the repository's address.

    Args:
        folder: run folder of `ltnas.retrain`.
        repository: OWNER/NAME; it is created if necessary.
        private: True for a new repository that only its owner sees.

    Raises:
        UserError: the package is not installed, or the hub refuses.
    """
    hub = extra_package("huggingface_hub", "hub")
    operations = [
        hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(folder / file))
        for file, name in FILES.items()
        if (folder / file).is_file()
    ]
    with _in_words(repository):
        api = hub.HfApi()
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.create_commit(repository, operations, commit_message=f"Network of {folder.name}")
    return str(address)


def pull(repository: str, folder: Path) -> None:
    """Download the network of a repository into a folder.

    Args:
        repository: OWNER/NAME.
        folder: folder that the files are written to.

    Raises:
        UserError: the package is not installed, or the hub refuses.
    """
    hub = extra_package("huggingface_hub", "hub")
    with _in_words(repository):
        hub.snapshot_download(repository, local_dir=folder, allow_patterns=list(FILES.values()))


@contextmanager
def _in_words(repository: str) -> Iterator[None]:
    """Turn what the hub and the connection to it refuse into one line."""
    library = extra_package("huggingface_hub.errors", "hub")
    try:
        yield
    # Errors of the hub derive from those of the library that its version uses for HTTP.
    # ValueError: the name of a repository is not valid.
    except (OSError, ValueError, *library.HfHubHTTPError.__bases__) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"the Hugging Face hub refuses {repository} ({reason}): check the name and the "
            "connection, and log in by `hf auth login` or the variable HF_TOKEN"
        ) from error
