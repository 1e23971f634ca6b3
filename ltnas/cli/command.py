"""From the command line to one typed configuration, and from errors to one line.

The only place that knows Hydra. `hydra.instantiate` and `_target_` are not used: groups hold
dataclasses of `ltnas.config`, and builders choose by their type.
"""

from __future__ import annotations

import difflib
import os
import signal
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ltnas import config as c
from ltnas.config.axes import AXES
from ltnas.distributed.processes import by_srun, check_processes, rank
from ltnas.errors import Terminated, UserError
from ltnas.runs.once import once

HERE = Path(__file__).resolve().parents[1]
# In a wheel the folder lies in the package, in a checkout beside it.
CONF = str(HERE / "conf" if (HERE / "conf").is_dir() else HERE.parent / "conf")

SWEEP_VARIABLE = "LTNAS_SWEEP"
"""Tells a job, and by it a dashboard, the name of its sweep."""

LAUNCHER_VARIABLE = "LTNAS_LAUNCHER"
"""Tells a job the process that has started it."""

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


def help_text(name: str) -> str:
    """Of a command. Hydra's own way there takes seconds: it loads every choice of every group."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("ltnas.published", _published, replace=True)
    OmegaConf.register_new_resolver("ltnas.choices", _choices, replace=True)
    return str(OmegaConf.load(Path(CONF) / f"{name}.yaml").hydra.help.template)


def _choices(group: str) -> str:
    """The choices of an axis or of a group of `conf/`, as lines of a help text."""
    files = sorted(path.name[:-5] for path in (Path(CONF) / group).glob("*.yaml"))
    names = list(AXES[group]) if group in AXES else files
    # The group's name and two blanks stand before the first line.
    indent = " " * (len(group) + 4)
    return textwrap.fill(", ".join(names), 80, initial_indent=indent, subsequent_indent="    ")[
        len(indent) :
    ]


def _published() -> str:
    """Names for `genotype=NAME`, as a paragraph of the help text."""
    from ltnas.space.genotype import published_names

    return textwrap.fill(", ".join(published_names()), 78).replace("\n", "\n  ")


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


@contextmanager
def ending_in_words() -> Iterator[None]:
    """One line and an exit code for whatever ends a program before its time, but our mistakes."""
    try:
        yield
    except Terminated as error:
        print("terminated; the same command with resume=auto goes on", file=sys.stderr)
        sys.exit(error.code)
    except KeyboardInterrupt:
        print("interrupted; the same command with resume=auto goes on", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
        print(f"ltnas: {message}", file=sys.stderr)
        sys.exit(2)


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


def task_words() -> list[str]:
    """The words of the command line that set keys and choices, of the job that runs now."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task)


def compose_beside(name: str, words: Sequence[str]) -> object:
    """The typed configuration of another command, while one runs."""
    from hydra import compose
    from omegaconf import OmegaConf

    return OmegaConf.to_object(compose(name, list(words)))


def words_of(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Nested settings as the words of a command line that would set them."""
    found = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found += words_of(value, f"{prefix}{key}.")
        else:
            found.append(f"{prefix}{key}={_spoken(value)}")
    return found


def _spoken(value: object) -> str:
    """A value in Hydra's grammar."""
    from hydra.core.override_parser.types import Quote, QuotedString

    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(_spoken, value))}]"
    if isinstance(value, str):
        return QuotedString(value, Quote.single).with_quotes()
    return str(value)


def end_with(launcher: int) -> None:
    """End when the process that started this one does, however it ends.

    A job that outlived its launcher would hold its run folder, and the same sweep started again
    would begin that run a second time. Linux alone can do so; elsewhere jobs go on.
    """
    import ctypes

    # A launcher in the background ignores interrupts, and what it starts would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parent_death_signal = 1  # PR_SET_PDEATHSIG
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    told = prctl is not None and prctl(parent_death_signal, signal.SIGKILL) == 0
    if told and os.getppid() != launcher:  # it has ended before this line
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """Whoever reads what is printed, `head` for example, may have seen enough."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def refuse_new_keys(schema: type[c.Run], overrides: Sequence[str]) -> None:
    """Raise a `UserError` for words by which hydra adds or deletes what is read all the same."""
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if override.startswith("~"):
            raise UserError(
                f"{override}: nothing can be taken away; set {key} to another value (--help lists "
                "them), or leave the word out for the default"
            )
        if override.startswith("+") and key.split(".")[0] != "experiment":
            raise UserError(
                f"{override}: {schema.__name__} has no key {key} to be added; leave out the + if "
                "you mean one that is there (--cfg job shows them)"
            )


def user_message(error: BaseException) -> str | None:
    """One line for an error that the user can mend; None for one that is ours."""
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    for cause in (error, error.__cause__):  # hydra says where it was when ours was raised
        if isinstance(cause, UserError):
            return str(cause)
    if isinstance(error, OSError) and any(
        frame.name == "mkdir" for frame in traceback.extract_tb(error.__traceback__)
    ):
        return (
            f"{error.filename}: no folder can be made there ({error.strerror}); take another by "
            "runs=FOLDER"
        )
    if isinstance(error, MissingConfigException):
        return _unknown_choice(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = error.__cause__
        return _unknown_key(cause if isinstance(cause, OmegaConfBaseException) else error)
    if isinstance(error, ValueError) and str(error).startswith("Only one of --run"):
        return f"{error}: leave all but one out"
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        # hydra's only plain error: imbalance=0.1, logger=null
        return f"{error}: give the name of a choice, for example imbalance=exp0.1 (--help lists)"
    return None


def _unknown_choice(error: Any) -> str:  # noqa: ANN401 - hydra's class is untyped
    """`scheme=dart is not known: did you mean darts? ...` from a failed group look-up."""
    missing, options = str(error.missing_cfg_file), [str(option) for option in error.options or ()]
    group, _, name = missing.rpartition("/")
    if not options:
        return " ".join(str(error).split())
    if group == "hydra/launcher" and name.startswith("submitit"):
        return "hydra/launcher=slurm needs a package that is not there: pip install 'ltnas[slurm]'"
    close = difflib.get_close_matches(name, options, n=1)
    hint = f"did you mean {group}={close[0]}? " if close else ""
    return f"{group}={name} is not known: {hint}choose one of {', '.join(options)}"


def _unknown_key(error: BaseException) -> str:
    """The composition's own words without its layout, and where to look."""
    text = [line.strip() for line in str(error).splitlines() if line.strip()]
    noise = ("object_type=", "reference_type=", "To append to your default list")
    lines = [line for line in text if not line.startswith(noise)]
    return f"{'; '.join(lines)} (--help lists the keys, --cfg job shows their values)"
