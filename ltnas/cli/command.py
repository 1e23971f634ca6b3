"""From the command line to one typed configuration, and from errors to one line.

The only place that knows Hydra. `hydra.instantiate` and `_target_` are not used: groups hold
dataclasses of `ltnas.config`, and builders choose by their type.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ltnas import config as c
from ltnas.cli.endings import end_with, ending_in_words, readers_may_leave
from ltnas.cli.help import CONF, help_text
from ltnas.cli.messages import refuse_new_keys
from ltnas.cli.words import task_words
from ltnas.config.axes import AXES
from ltnas.distributed.processes import by_srun, check_processes, rank
from ltnas.runs.environment import LAUNCHER_VARIABLE, SWEEP_VARIABLE
from ltnas.runs.once import once

Config = TypeVar("Config", bound=c.Run)


def register_configs() -> None:
    """Make the schemas and the axes known to Hydra."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import MISSING, OmegaConf

    store = ConfigStore.instance()
    schemas = {
        "search": c.SearchConfig,
        "retrain": c.RetrainConfig,
        "pipeline": c.PipelineConfig,
    }
    for name, schema in schemas.items():
        node = OmegaConf.structured(schema)
        for axis in AXES:  # open: a value on an axis is no subclass of the default one
            if axis in node:
                node[axis] = MISSING
        if "retrain" in node:  # read word by word; see ltnas.pipeline
            OmegaConf.set_struct(node.retrain, False)
        store.store(group="schema", name=name, node=node, package="_global_", provider="ltnas")
    store.store(group="hydra/launcher", name="gpus", node=c.GpusLauncher, provider="ltnas")
    for axis, values in AXES.items():
        for name, value in values.items():
            store.store(group=axis, name=name, node=value, provider="ltnas")


def run_command(name: str, schema: type[Config], command: Callable[[Config], Path]) -> None:
    """Run a command as a program: compose `conf/<name>.yaml`, call it, print its run folder.

    User errors, of ours or of the composition, become one line on stderr and exit code 2.
    """
    if {"--help", "-h"} & set(sys.argv[1:]):
        with readers_may_leave():
            print(help_text(name), end="", flush=True)
        return
    with ending_in_words(), readers_may_leave():
        _compose_and_run(name, schema, command)
        sys.stdout.flush()


def _compose_and_run(name: str, schema: type[Config], command: Callable[[Config], Path]) -> None:
    of_sweep = LAUNCHER_VARIABLE in os.environ or "SUBMITIT_EXECUTOR" in os.environ
    if LAUNCHER_VARIABLE in os.environ:
        end_with(int(os.environ.pop(LAUNCHER_VARIABLE)))

    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import DictConfig, OmegaConf

    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # hand exceptions to us, not to a printer
    # Read when torch is imported: its threads sleep soon when they wait for one another. On cores
    # that others use too, spinning made single steps thirty times slower.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    register_configs()

    failure: list[Exception] = []

    @hydra.main(version_base="1.3", config_path=CONF, config_name=name)
    def task(cfg: DictConfig) -> None:
        multirun = HydraConfig.get().mode == RunMode.MULTIRUN
        try:
            refuse_new_keys(schema, task_words())
            config = OmegaConf.to_object(cfg)
            assert isinstance(config, schema)
            if multirun:
                os.environ[SWEEP_VARIABLE] = Path(HydraConfig.get().sweep.dir).name
                refuse_processes(config.trainer)
            execute(config, command, of_sweep)
        except Exception as error:
            if multirun:  # hydra notes it and goes on with the next job
                raise
            failure.append(error)  # raised below: hydra would print a line of its own

    task()
    if failure:
        raise failure[0]


def refuse_processes(trainer: c.Trainer) -> None:
    """Raise a `UserError` for processes that would each start a whole sweep."""
    c.require(
        trainer.processes == 1 or by_srun(),
        f"trainer.devices={trainer.devices} inside a multirun: its processes would "
        "each start the whole sweep again; run the jobs one by one, without -m, or on a "
        "cluster by hydra/launcher=slurm with as many hydra.launcher.tasks_per_node",
    )


def execute(config: Config, command: Callable[[Config], Path], of_sweep: bool) -> None:
    """Call a command, and print its run folder.

    Args:
        config: of the run.
        command: takes it.
        of_sweep: whether others may be at the same run, or may have finished it.
    """
    check_processes(config.trainer)
    if "SUBMITIT_EXECUTOR" in os.environ and config.resume == "never":
        config.resume = "auto"  # a task that is queued again is the same command
    alone = of_sweep and config.resume == "auto" and config.trainer.processes == 1
    folder = once(config, command) if alone else command(config)
    if rank(config.trainer.processes) == 0:
        print(folder, flush=True)
