"""Commands in README.md and docs/*.md."""

import re

import pytest
from conftest import REPOSITORY

# The commands of data.md are run on data sets of their own, by `test_data_document`.
PAGES = (path for path in (REPOSITORY / "docs").glob("*.md") if path.name != "data.md")
DOCUMENTS = [REPOSITORY / "README.md", *sorted(PAGES)]


def commands():
    """Return the command lines in code blocks, each once, without prompts and comments."""
    found = {}
    for document in DOCUMENTS:
        for block in re.findall(r"```(?:console|bash|sh)\n(.*?)```", document.read_text(), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.removeprefix("$ ").split("  #")[0].strip()
                if line.startswith("$ ") or command.startswith(("python -m", "make ", "ltnas-")):
                    found.setdefault(command, document.name)
    return [pytest.param(command, id=f"{name}: {command}") for command, name in found.items()]
