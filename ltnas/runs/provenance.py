"""Provenance of a result: command, commit, versions and device."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from ltnas import __version__
from ltnas.config import Trainer


def commit() -> str:
    """Return the commit of the checkout, with + for uncommitted changes; else the version."""
    here = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != here:
            return f"v{__version__}"
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return f"v{__version__}"


def device_name(trainer: Trainer) -> str:
    """Return the name of the GPU, or of the processor with the number of threads in use."""
    if uses_gpu(trainer):
        import torch

        return str(torch.cuda.get_device_name())
    return f"{_processor()}, {threads(trainer)} threads"


def uses_gpu(trainer: Trainer) -> bool:
    """Return True if a run computes on a GPU."""
    import torch

    return torch.cuda.is_available() and trainer.accelerator != "cpu"


def threads(trainer: Trainer) -> int:
    """Return the number of threads that a run uses on the CPU."""
    import torch

    return trainer.threads or torch.get_num_threads()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def provenance(module: str, trainer: Trainer) -> dict[str, Any]:
    """Return command, commit, versions and device, as JSON can hold them."""
    import lightning
    import torch

    return {
        "command": " ".join(["python", "-m", module, *sys.argv[1:]]),
        "commit": commit(),
        "versions": {
            "ltnas": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "lightning": lightning.__version__,
        },
        "device": device_name(trainer),
        **({} if uses_gpu(trainer) else {"threads": threads(trainer)}),
    }
