"""From a command line to one typed configuration, and from there to the command.

The only place that composes with Hydra. `hydra.instantiate` and `_target_` are not used: groups
hold dataclasses of `ltnas.config`, and builders choose by their type. Nothing here imports torch:
a command's module is imported when its configuration is known to be good.
"""

from __future__ import annotations

import functools
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ltnas import config as c
from ltnas.cli.by_imbalance import register_by_imbalance
from ltnas.cli.encoding import print_everywhere
from ltnas.cli.endings import end_with, ending_in_words, readers_may_leave
from ltnas.cli.help import CONF, help_text
from ltnas.cli.messages import (
    refuse_file_without_schema,
    refuse_new_keys,
    refuse_run_folders,
    refuse_unknown_flags,
)
from ltnas.cli.words import flags_first, task_words, with_lists, with_resolve
from ltnas.config.axes import AXES
from ltnas.distributed.processes import by_srun, check_processes
from ltnas.distributed.processes import rank as rank_of
from ltnas.runs.environment import LAUNCHER_VARIABLE, SWEEP_VARIABLE
from ltnas.runs.fingerprint import is_one_run
from ltnas.runs.locks import require_locks
from ltnas.runs.once import once


class Command(NamedTuple):
    """A command.

    Args:
        schema: class of its configuration.
        function: function that takes the configuration, and returns where its results are, or
            None if it has printed them.
        lists: keys whose values are lists, which may be typed with commas alone.
    """

    schema: type[object]
    function: str
    lists: tuple[str, ...] = ()


COMMANDS = {
    "search": Command(c.SearchConfig, "search"),
    "retrain": Command(c.RetrainConfig, "retrain"),
    "pipeline": Command(c.PipelineConfig, "run_pipeline"),
    "data_preview": Command(c.PreviewConfig, "preview"),
    "rank": Command(c.RankConfig, "rank", lists=("genotype", "runs", "proxies")),
    "predict": Command(c.PredictConfig, "predict", lists=("images",)),
    "export": Command(c.ExportConfig, "export"),
    "draw": Command(c.DrawConfig, "draw_genotype"),
    "hub": Command(c.HubConfig, "hub"),
}
"""Commands by the name of their module in `ltnas` and of their file in `conf/`."""


def search() -> NoReturn:
    """Run the console script `ltnas-search`."""
    main("search")


def retrain() -> NoReturn:
    """Run the console script `ltnas-retrain`."""
    main("retrain")


def pipeline() -> NoReturn:
    """Run the console script `ltnas-pipeline`."""
    main("pipeline")


def data() -> NoReturn:
    """Run the console script `ltnas-data`."""
    main("data_preview")


def rank() -> NoReturn:
    """Run the console script `ltnas-rank`."""
    main("rank")


def predict() -> NoReturn:
    """Run the console script `ltnas-predict`."""
    main("predict")


def export() -> NoReturn:
    """Run the console script `ltnas-export`."""
    main("export")


def draw() -> NoReturn:
    """Run the console script `ltnas-draw`."""
    main("draw")


def hub() -> NoReturn:
    """Run the console script `ltnas-hub`."""
    main("hub")


def main(name: str) -> NoReturn:
    """Run a command as a program: compose `conf/<name>.yaml`, call it, print its result's path.

    User errors, of this package or of the composition, become one line on stderr and exit code 2.
    """
    print_everywhere()
    with ending_in_words(), readers_may_leave():
        if {"--help", "-h"} & set(sys.argv[1:]):
            print(help_text(name), end="")
        else:
            _compose_and_run(name)
        sys.stdout.flush()
    sys.exit(0)


@functools.cache
def register_configs() -> None:
    """Make the schemas and the values of all axes known to Hydra."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import MISSING, OmegaConf

    register_by_imbalance()
    store = ConfigStore.instance()
    for name, command in COMMANDS.items():
        node = OmegaConf.structured(command.schema)
        for axis in AXES:  # open: a value on an axis is no subclass of the default one
            if axis in node:
                node[axis] = MISSING
        if "retrain" in node:  # its words are read one by one; see ltnas.pipeline
            OmegaConf.set_struct(node.retrain, False)
        store.store(group="schema", name=name, node=node, package="_global_", provider="ltnas")
    store.store(group="hydra/launcher", name="gpus", node=c.GpusLauncher, provider="ltnas")
    for axis, values in AXES.items():
        for name, value in values.items():
            store.store(group=axis, name=name, node=value, provider="ltnas")


def _compose_and_run(name: str) -> None:
    """Compose the configuration, and run the command, or each job of a multirun."""
    require_locks()
    in_sweep = LAUNCHER_VARIABLE in os.environ or "SUBMITIT_EXECUTOR" in os.environ
    if LAUNCHER_VARIABLE in os.environ:
        end_with(int(os.environ.pop(LAUNCHER_VARIABLE)))

    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import DictConfig, OmegaConf

    # Hydra hands exceptions on, instead of printing them.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    # Read when torch is imported: threads that wait for one another sleep soon. On cores that
    # others use too, spinning made single steps thirty times slower.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    register_configs()
    command = COMMANDS[name]
    refuse_unknown_flags(sys.argv[1:])
    sys.argv[1:] = flags_first(with_resolve(with_lists(sys.argv[1:], command.lists)))
    refuse_run_folders(sys.argv[1:])
    if not issubclass(command.schema, c.Run):
        refuse_multirun(name, command.lists, sys.argv[1:])

    failure: list[Exception] = []

    @hydra.main(version_base="1.3", config_path=CONF, config_name=name)
    def task(cfg: DictConfig) -> None:
        register_by_imbalance()  # a job of hydra/launcher=slurm runs this function alone
        schema = command.schema
        multirun = HydraConfig.get().mode == RunMode.MULTIRUN
        try:
            refuse_new_keys(schema, task_words())
            config = OmegaConf.to_object(cfg)
            if not isinstance(config, schema):
                refuse_file_without_schema(HydraConfig.get().job.config_name, name)
            if not isinstance(config, c.Run):
                path = load_function(name)(config)
                if path is not None:
                    print(path, flush=True)
                return
            if multirun:
                os.environ[SWEEP_VARIABLE] = Path(HydraConfig.get().sweep.dir).name
                refuse_processes(config.trainer)
            execute(config, load_function(name), in_sweep or multirun)
        except Exception as error:
            if multirun:  # Hydra records it, and goes on with the next job
                raise
            failure.append(error)  # raised below, as Hydra would print a line of its own

    task()
    if failure:
        raise failure[0]


def load_function(name: str) -> Callable[[Any], Any]:
    """Import the module of a command, which takes seconds, and return its function."""
    module = importlib.import_module(f"ltnas.{name}")
    gc.freeze()  # a million objects of modules, which live as long as the process
    function: Callable[[Any], Any] = getattr(module, COMMANDS[name].function)
    return function


def refuse_multirun(name: str, lists: Sequence[str], words: Sequence[str]) -> None:
    """Raise a `UserError` for a multirun of a command that makes no run folders.

    Args:
        name: name of the command.
        lists: keys of the command whose values are lists.
        words: words of the command line.
    """
    many = f", and write {lists[0]}=A,B for several" if lists else ""
    c.require(
        not {"-m", "--multirun"} & set(words),
        f"-m: ltnas.{name} makes no runs to sweep over; leave -m out{many}",
    )


def refuse_processes(trainer: c.Trainer) -> None:
    """Raise a `UserError` for processes that would each start a whole sweep."""
    c.require(
        trainer.processes == 1 or by_srun(),
        f"trainer.devices={trainer.devices} inside a multirun: its processes would "
        "each start the whole sweep again; run the jobs one by one, without -m, or on a "
        "cluster by hydra/launcher=slurm with as many hydra.launcher.tasks_per_node",
    )


def data_checksum(config: c.Run) -> str:
    """Load the data set of a run, which imports torch, and return its checksum."""
    from ltnas.data.long_tail import data_checksum

    return data_checksum(config)


def execute(config: c.Run, command: Callable[[c.Run], Path], in_sweep: bool) -> None:
    """Call a command, and print its run folder.

    Args:
        config: configuration of the run.
        command: function that takes it, and returns the run folder.
        in_sweep: True if other jobs may do the same run now, or may have finished it.
    """
    check_processes(config.trainer)
    if "SUBMITIT_EXECUTOR" in os.environ and config.resume == "never":
        config.resume = "auto"  # a task that is queued again is the same command
    # Others may be at the same run. A pipeline is two runs, each of which it looks for itself.
    may_be_done = in_sweep and config.resume == "auto" and is_one_run(config)
    alone = may_be_done and config.trainer.processes == 1
    folder = once(config, command, data_checksum) if alone else command(config)
    if rank_of(config.trainer.processes) == 0:
        print(folder, flush=True)
