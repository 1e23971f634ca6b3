"""Loggers: none by default, and closed with the right exit code."""

import csv
import subprocess
from types import SimpleNamespace

import lightning.fabric.loggers.tensorboard as fabric_tensorboard
import lightning.pytorch.loggers as pytorch_loggers
import pytest
import wandb
from composed import composed

from ltnas import config as c
from ltnas.errors import Terminated, UserError
from ltnas.loggers import choose as loggers
from ltnas.loggers.charts import chart_name
from ltnas.loggers.choose import open_logger
from ltnas.runs.folder import RunFolder
from ltnas.search import search

RUN = "search-darts-exp0.1-s0-20250101-000000-abcdef"


@pytest.fixture
def folder(tmp_path):
    """A run folder."""
    (tmp_path / RUN).mkdir()
    return RunFolder(tmp_path / RUN)


def config(kind, **options):
    return c.SearchConfig(logger=c.Logger(kind, **options))


@pytest.mark.parametrize("kind", ["csv", "none"])
def test_no_logger(folder, kind):
    with open_logger(config(kind), folder, "search") as logger:
        assert logger is None
    assert list(folder.path.iterdir()) == []


def test_an_unknown_logger_is_refused(folder):
    chosen = config("csv")
    chosen.logger.kind = "csvv"
    with pytest.raises(ValueError, match="csvv is not a value of logger"):
        open_logger(chosen, folder, "search").__enter__()


def test_wandb_is_not_loaded_unless_it_is_asked_for(folder, python):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from ltnas.config import SearchConfig\nfrom ltnas.runs.folder import RunFolder\n"
        "import ltnas.search, ltnas.retrain, ltnas.training.trainer, ltnas.training.search_module\n"
        "from ltnas.loggers.choose import open_logger\n"
        "with open_logger(SearchConfig(), RunFolder(Path(sys.argv[1])), 'search') as logger:\n"
        "    sys.exit(int(logger is not None or 'wandb' in sys.modules))"
    )
    done = subprocess.run([python, "-c", code, str(folder.path)], check=False)
    assert done.returncode == 0


# --- tensorboard --------------------------------------------------------------------------------


def test_tensorboard_that_is_not_installed(folder, monkeypatch):
    for name in ("_TENSORBOARD_AVAILABLE", "_TENSORBOARDX_AVAILABLE"):
        monkeypatch.setattr(fabric_tensorboard, name, False)
    with (
        pytest.raises(UserError) as caught,
        open_logger(config("tensorboard"), folder, "search"),
    ):
        raise AssertionError("the logger was created")
    message = str(caught.value)
    assert message.startswith("logger=tensorboard needs a package that is not installed: pip")
    assert "\n" not in message


class Recorder:
    """Stand-in for a logger's class that records its arguments."""

    def __init__(self, *arguments, **options):
        self.arguments, self.options = arguments, options
        self.experiment = SimpleNamespace(define_metric=lambda *_, **__: None)


def test_tensorboard_writes_into_the_run_folder(folder, monkeypatch):
    monkeypatch.setattr(pytorch_loggers, "TensorBoardLogger", Recorder)
    with open_logger(config("tensorboard"), folder, "search") as logger:
        assert logger.arguments == (folder.path,)
        assert logger.options == {"name": "tensorboard", "version": ""}


# --- wandb --------------------------------------------------------------------------------------


@pytest.fixture
def exit_codes(monkeypatch):
    """Exit codes that `wandb.finish` was called with, while wandb works offline."""
    codes, finish = [], wandb.finish

    def noted(exit_code=None, **options):
        codes.append(exit_code or 0)
        finish(exit_code=exit_code, **options)

    monkeypatch.setattr(wandb, "finish", noted)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield codes
    finish()


def test_wandb_gets_every_number_and_a_good_end(tmp_path, monkeypatch, exit_codes):
    sent, log = [], pytorch_loggers.WandbLogger.log_metrics

    def noted(self, metrics, step=None):
        assert self.experiment is wandb.run
        sent.append((step, metrics))
        log(self, metrics, step)

    monkeypatch.setattr(pytorch_loggers.WandbLogger, "log_metrics", noted)
    monkeypatch.setattr("ltnas.search.plot_architecture", lambda folder: None)
    folder = search(composed("search", "logger=wandb", "space.nodes=1", f"runs={tmp_path}"))
    assert exit_codes == [0]
    assert wandb.run is None
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    assert file.name == f"run-{folder.name}.wandb"
    sent = [entry for entry in sent if entry[1].keys() != {"architecture/collapsed"}]
    assert [step for step, _ in sent] == [0, 1]
    for (_, metrics), name in ((entry, name) for entry in sent for name in ("history", "cost")):
        with (folder / f"{name}.csv").open(newline="") as text:
            row = list(csv.DictReader(text))[int(metrics["epoch"])]
        assert {key: metrics[chart_name(key)] for key in row} == {
            key: float(row[key]) for key in row
        }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("ours"), 1),
        (UserError("yours"), 2),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
    ],
)
def test_wandb_is_told_of_a_bad_end(folder, exit_codes, error, code):
    def fail():
        with open_logger(config("wandb"), folder, "search") as logger:
            if isinstance(error, ValueError):  # check once that the W&B run has begun
                assert logger.experiment is wandb.run
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error
    assert exit_codes == [code]
    assert wandb.run is None


def test_wandb_without_an_account_is_one_line(folder, monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))

    def refuse(_):
        raise wandb.errors.UsageError("No API key\nconfigured.")

    monkeypatch.setattr(loggers, "_count_in_epochs", refuse)
    with (
        pytest.raises(UserError, match=r"No API key configured\.: wandb login, or WANDB_MODE=off"),
        open_logger(config("wandb"), folder, "search"),
    ):
        raise AssertionError("the logger was created")


def test_wandb_run_is_found_again_by_its_name(folder, monkeypatch, exit_codes):
    monkeypatch.setattr(pytorch_loggers, "WandbLogger", Recorder)
    chosen = config("wandb", project="tails", entity="lab")
    with open_logger(chosen, folder, "search") as logger:
        options = logger.options
    assert options["id"] == options["name"] == RUN
    assert (options["resume"], options["job_type"]) == ("allow", "search")
    assert (options["project"], options["entity"]) == ("tails", "lab")
    assert options["save_dir"] == folder.path
    assert options["config"]["weights"]["momentum"] == 0.9


def test_wandb_runs_of_two_stages_and_of_two_runs_differ(tmp_path, monkeypatch, exit_codes):
    monkeypatch.setattr(pytorch_loggers, "WandbLogger", Recorder)
    names = set()
    for run in ("retrain-a-s0-1-abc", "retrain-a-s0-2-def"):
        for path, job in ((run, "retrain"), (f"{run}/pretrain", "pretrain")):
            with open_logger(config("wandb"), RunFolder(tmp_path / path), job) as logger:
                names.add(logger.options["id"])
                assert len(logger.options["id"]) <= 64
                assert "/" not in logger.options["id"]
    assert len(names) == 4
