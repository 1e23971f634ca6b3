"""Configuration of `python -m ltnas.hub`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ltnas.config.requirements import paths_to_text, require

REPOSITORY_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""Name of a repository on the Hugging Face hub: its owner and its own name."""


@dataclass
class HubConfig:
    """Configuration of `python -m ltnas.hub`; either `push` or `pull` is given."""

    push: str = ""
    """Run folder of ltnas.retrain whose network is uploaded."""
    pull: str = ""
    """Repository whose network is downloaded, OWNER/NAME."""
    repo: str = ""
    """Repository that `push` uploads to, OWNER/NAME; it is created if necessary."""
    private: bool = True
    """True for a new repository that only its owner sees."""
    out: str | None = None
    """Folder that `pull` downloads to; None: the name of the repository."""

    def __post_init__(self) -> None:
        paths_to_text(self, "push", "out")
        require(
            bool(self.push) != bool(self.pull),
            f"push={self.push} pull={self.pull}: give one of push=FOLDER repo=OWNER/NAME and "
            "pull=OWNER/NAME",
        )
        key, name = ("repo", self.repo) if self.push else ("pull", self.pull)
        require(
            REPOSITORY_NAME.fullmatch(name) is not None,
            f"{key}={name} is no repository of the hub: write {key}=OWNER/NAME",
        )
