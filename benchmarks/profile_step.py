"""Profile of a bilevel step by operation, for the plain supernet and ours.

python -m benchmarks.profile_step [batch=64] [scheme=darts] [channels=16] [cells=8] [rows=8]
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks import harness
from benchmarks.search_step import DEFAULTS as STEP
from benchmarks.search_step import batch_of, build, works
from ltnas.kernels import Kernels
from ltnas.runs.memory import keep_freed_memory

DEFAULTS = {"batch": "64", "scheme": "darts", "channels": "16", "cells": "8", "rows": "8"}


def own_time(work: Any) -> Counter[str]:  # noqa: ANN401
    """Return the milliseconds in each operation, without the operations that it calls."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        work()
    return Counter({e.key: e.self_cpu_time_total / 1000 for e in found.key_averages()})


def in_kernels(work: Any) -> Counter[str]:  # noqa: ANN401
    """Return the milliseconds in each kernel of this package."""
    times: Counter[str] = Counter()
    call = Kernels.__call__

    def timed(kernel: Kernels, name: str, *arguments: object) -> None:
        begin = time.perf_counter()
        call(kernel, name, *arguments)
        times[f"kernel {name}"] += 1000 * (time.perf_counter() - begin)

    Kernels.__call__ = timed  # type: ignore[method-assign,assignment]
    try:
        work()
    finally:
        Kernels.__call__ = call  # type: ignore[method-assign]
    return times


def main() -> None:
    """Profile both supernets and print the tables."""
    words = harness.arguments(dict(DEFAULTS))
    keep_freed_memory()
    plain, ours = build(words["scheme"], {**STEP, **words})
    batch = batch_of(int(words["batch"]), words["scheme"], "cpu")
    for name, work in works(plain, ours, batch)["bilevel"].items():
        work()
        times = own_time(work)
        kernels = in_kernels(work)
        if kernels:  # replace the total of the cells by its parts
            for cell in ("_Cell", "_CellBackward"):
                times.pop(cell, None)
            times += kernels
        total = sum(times.values())
        harness.table(
            f"{name}: {total:.0f} ms a bilevel step, batch {words['batch']}",
            ["where", "ms", "%"],
            [(k, v, round(100 * v / total, 1)) for k, v in times.most_common(int(words["rows"]))],
        )


if __name__ == "__main__":
    main()
