"""What the documents tell their readers to type."""

import re

import pytest
from conftest import REPOSITORY

DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def commands():
    """Command lines in code blocks, without the prompt and what follows a comment sign."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"```(?:console|bash|sh)\n(.*?)```", document.read_text(), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.removeprefix("$ ").split("  #")[0].strip()
                if line.startswith("$ ") or command.startswith(("python -m", "make ", "ltnas-")):
                    found.append(pytest.param(command, id=f"{document.name}: {command}"))
    return found
