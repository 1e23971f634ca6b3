"""python -m benchmarks.startup [repeats=5]: seconds until the help or the first step of a command.

Medians over processes that take turns; the data are cached.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

FIRST_STEP = """
import sys, os
from ltnas.training.{command}_module import {module}
{module}.training_step = lambda *_: os._exit(0)
sys.argv = ["{command}", *sys.argv[1:]]
from ltnas.cli.command import main
main("{command}")
"""
SIZES = ("data=digits", "trainer=cpu", "auxiliary=0", "cutout=0", "data.image_size=32")
SEARCH = [word for word in SIZES if not word.startswith(("auxiliary", "cutout"))]
CONTENDERS = {
    "ltnas.search --help": ["-m", "ltnas.search", "--help"],
    "first step of a search (digits at 32 x 32, 8 cells)": [
        *("-c", FIRST_STEP.format(command="search", module="SearchModule")),
        *SEARCH,
    ],
    "first step of a training (20 cells of 36 channels)": [
        *("-c", FIRST_STEP.format(command="retrain", module="RetrainModule")),
        *("genotype=darts_v2", *SIZES),
    ],
}


def main() -> None:
    """Measure all contenders and print their medians."""
    repeats = int(dict(word.split("=") for word in sys.argv[1:]).get("repeats", 5))
    with tempfile.TemporaryDirectory() as folder:
        seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
        for repeat in range(repeats + 1):
            for name, arguments in CONTENDERS.items():
                started = time.perf_counter()
                command = [sys.executable, *arguments]
                subprocess.run(command, cwd=folder, capture_output=True, check=True)
                if repeat:  # the first call fills the caches and does not count
                    seconds[name].append(time.perf_counter() - started)
    for name, values in seconds.items():
        print(f"{statistics.median(values):6.2f} s  {name}")


if __name__ == "__main__":
    main()
