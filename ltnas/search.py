"""python -m ltnas.search"""

from __future__ import annotations
from pathlib import Path
from ltnas.command import run_command
from ltnas.config import SearchConfig


def search(config: SearchConfig) -> Path:
    print(config)
    return Path(".")


def main() -> None:
    run_command("search", SearchConfig, search)


if __name__ == "__main__":
    main()
