"""Cost of a bilevel step of each scheme, beside that of scheme=darts.

    python -m benchmarks.scheme_cost [scheme=darts,darts_2nd,...] [batch=16] [repeats=5] [out=]
        [channels=] [cells=]

The search modules are built from the configurations of a command line, of their first stage, with
the sizes of each scheme (16 channels and 8 cells where it names none) unless others are given. Peak
memory is measured in a separate process for each scheme.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks import harness
from ltnas.cli.command import register_configs
from ltnas.cli.help import CONF
from ltnas.config import SearchConfig, ZeroShot
from ltnas.data.long_tail import load_long_tail
from ltnas.runs.memory import keep_freed_memory, peak_memory
from ltnas.space.edge_masks import edge_masks
from ltnas.training.search_module import SearchModule
from ltnas.training.search_parts import build_data, build_search
from ltnas.training.zero_shot import prune

DEFAULTS = {
    "scheme": "darts,darts_2nd,darts_bbn,fairdarts,fairdarts_ssl,pc_darts,darts_minus,drnas,"
    "p_darts,gdas,snas,msr_darts,half_space,b_darts,b_pc_darts,mae_nas",
    "batch": "16",
    "repeats": "5",
    "channels": "",
    "cells": "",
    "out": "",
    "memory_of": "",
}


class Standing:
    """Stand-in for the trainer: one process on the CPU, in an epoch after any warm-up."""

    global_rank, world_size, num_training_batches, current_epoch = 0, 1, 0, 20

    class strategy:
        """Stand-in for the strategy."""

        root_device = torch.device("cpu")


class Stepped(SearchModule):
    """Search module whose steps are called by hand."""

    @property
    def trainer(self) -> Any:  # noqa: ANN401
        """Return the stand-in."""
        return self.standing


def sizes(words: dict[str, str]) -> list[str]:
    """Return the words of a command line that set sizes."""
    given = [f"{key}={words[key]}" for key in ("channels", "cells") if words[key]]
    return [f"batch_size={words['batch']}", *given]


def configured(scheme: str, given: list[str]) -> SearchConfig:
    """Return the configuration that a command line gives."""
    register_configs()
    words = [f"scheme={scheme}", "data=digits", "data.image_size=32", *given]
    with initialize_config_dir(CONF, version_base="1.3"):
        config = OmegaConf.to_object(compose("search", words))
    assert isinstance(config, SearchConfig)
    return config


def step_of(scheme: str, given: list[str]) -> Callable[[], object]:
    """Return a function that takes one step of a scheme.

    Args:
        scheme: name of the scheme.
        given: words of a command line that set sizes; images have 32 pixels if none does.
    """
    config = configured(scheme, given)
    long_tail = load_long_tail(config.data, config.imbalance)
    masks = edge_masks(config.space, config.macro.kinds)
    if isinstance(config.progression, ZeroShot):
        masks = prune(config, long_tail, masks).masks
    module = build_search(config, "cpu", long_tail, masks=masks)
    data = build_data(config, long_tail)
    module.__class__ = Stepped
    module.standing, data.trainer = Standing(), Standing()  # type: ignore[assignment]
    module.standing.optimizers = module.configure_optimizers()
    data.setup("fit")
    loader = data.train_dataloader()
    batches, _, _ = next(iter(loader))
    return lambda: module.training_step(batches, 0)


def memory_apart(scheme: str, words: dict[str, str]) -> float:
    """Return the peak memory of a step in GiB, measured in a separate process."""
    given = [f"{key}={words[key]}" for key in ("batch", "channels", "cells")]
    command = [sys.executable, "-m", "benchmarks.scheme_cost", *given]
    done = subprocess.run(
        [*command, f"memory_of={scheme}"], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure all schemes, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    keep_freed_memory()
    batch = int(words["batch"])
    if words["memory_of"]:
        step_of(words["memory_of"], sizes(words))()
        print(peak_memory(torch.device("cpu")))
        return
    schemes = words["scheme"].split(",")
    memory = {scheme: memory_apart(scheme, words) for scheme in schemes}
    works = {scheme: step_of(scheme, sizes(words)) for scheme in schemes}
    times = harness.alternate(works, int(words["repeats"]), "cpu", warm=1)
    first = schemes[0]
    rows: list[dict[str, Any]] = [
        {
            "scheme": scheme,
            "batch": batch,
            "ms": harness.summary(times[scheme]),
            "times": round(statistics.median(times[scheme]) / statistics.median(times[first]), 2),
            "memory_gib": round(memory[scheme], 2),
            "memory_times": round(memory[scheme] / memory[first], 2),
        }
        for scheme in schemes
    ]
    harness.table(
        f"one step of batch {batch}, CPU; times and memory beside {first}",
        ["scheme", "ms", "times", "GiB", "times"],
        [
            (
                row["scheme"],
                row["ms"]["median_ms"],
                row["times"],
                row["memory_gib"],
                row["memory_times"],
            )
            for row in rows
        ],
    )
    settings = {key: word for key, word in words.items() if word and key != "out"}
    harness.write(words["out"], "scheme_cost", "cpu", settings, rows)


if __name__ == "__main__":
    main()
