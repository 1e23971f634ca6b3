"""Timing of contenders, and output of the results.

All benchmarks take `key=value` words. Contenders take turns in one process, so that a slow phase of
the machine affects all of them; results are medians and ratios of medians.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from ltnas.kernels import kernels

Work = Callable[[], object]


def refuse(message: str) -> NoReturn:
    """Print what a user can mend, and exit with code 2."""
    print(message, file=sys.stderr)
    sys.exit(2)


def arguments(known: dict[str, str]) -> dict[str, str]:
    """Return the defaults, updated by the command line.

    Exit with a message at an unknown word, and if a GPU is to be measured and there is none.
    """
    own = Path(sys.argv[0]).stem
    for word in sys.argv[1:]:
        key, equals, value = word.partition("=")
        if key not in known or not equals:
            usage = " ".join(f"[{name}={default}]" for name, default in known.items())
            refuse(f"{word} is not known: python -m benchmarks.{own} {usage}")
        known[key] = value
    if known.get("device") == "cuda" and not torch.cuda.is_available():
        refuse("device=cuda: PyTorch finds no GPU here; give device=cpu or use another machine")
    return known


def milliseconds(work: Work, device: str) -> float:
    """Return the milliseconds of one call, including the work that it starts on the device."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - start)


def alternate(
    contenders: Mapping[str, Work], repeats: int, device: str, warm: int = 2
) -> dict[str, list[float]]:
    """Return the times of each contender in ms, taken in turns.

    Args:
        contenders: name of each contender -> the work to time.
        repeats: number of times that are returned for each contender.
        device: `cpu` or `cuda`.
        warm: number of warm-up calls of each contender before its times count.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(warm + repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found = milliseconds(contenders[name], device)
            if turn >= warm:
                times[name].append(found)
    return times


def summary(times: Sequence[float]) -> dict[str, float]:
    """Return median and quartiles in ms."""
    low, median, high = statistics.quantiles(times, n=4) if len(times) > 1 else [times[0]] * 3
    return {"median_ms": round(median, 2), "low_ms": round(low, 2), "high_ms": round(high, 2)}


def machine(device: str) -> dict[str, Any]:
    """Return the hardware, software and commit that the results were measured with."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    name = platform.processor() or platform.machine()
    if device == "cuda":
        name = torch.cuda.get_device_name()
    elif Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    return {
        "device": device,
        "name": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "kernels": kernels() is not None,
        "commit": commit,
    }


def write(out: str, name: str, device: str, settings: Mapping[str, str], rows: list[Any]) -> None:
    """Write the results to NAME-DEVICE.json in a folder.

    Args:
        out: folder; empty for no file.
        name: name of the benchmark.
        device: `cpu` or `cuda`.
        settings: words of the command line, which are recorded.
        rows: results.
    """
    if out:
        path = Path(out) / f"{name}-{device}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        command = f"python -m benchmarks.{name} " + " ".join(
            f"{k}={v}" for k, v in settings.items()
        )
        found = {"command": command, "machine": machine(device), "rows": rows}
        path.write_text(json.dumps(found, indent=1) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a table with numbers aligned to the right."""
    found = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        number = bool(rows) and not isinstance(rows[0][index], str)
        found.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        found.add_row(*(_shown(x) for x in row))
    Console().print(found)


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def bandwidth(device: str) -> float:
    """Return the bytes per second that copying a large tensor reads and writes."""
    x = torch.empty(64 * 2**20, device=device)
    y = torch.empty_like(x)
    times = [milliseconds(lambda: y.copy_(x), device) for _ in range(6)]
    return 2 * x.nbytes / (min(times) / 1000)


def peak(device: str) -> float:
    """Return the floating-point operations per second of a large float32 matrix product."""
    size = 1536 if device == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    times = [milliseconds(lambda: a @ b, device) for _ in range(6)]
    return 2 * size**3 / (min(times) / 1000)
