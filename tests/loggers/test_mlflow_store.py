"""logger=mlflow, beside a stand-in for the package, which is an extra."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import lightning.pytorch.loggers as pytorch_loggers
import pytest

from ltnas import config as c
from ltnas.errors import UserError
from ltnas.loggers.choose import open_logger
from ltnas.runs.folder import RunFolder

RUN = "search-darts-exp0.1-s0-20250101-000000-abcdef"
CONFIG = c.SearchConfig(logger=c.Logger("mlflow", project="tails"))


class MlflowException(Exception):
    """An error of MLflow."""


class Store:
    """Stand-in for `MlflowClient`, whose experiments and runs outlive it."""

    experiments: tuple = ()
    names: tuple = ()

    def __init__(self, uri):
        self.uri = uri

    def get_experiment_by_name(self, name):
        found = name in type(self).experiments
        return SimpleNamespace(experiment_id=f"id of {name}") if found else None

    def create_experiment(self, name):
        type(self).experiments += (name,)
        return f"id of {name}"

    def search_runs(self, experiments, words, max_results):
        assert experiments == ["id of tails"]
        return [
            SimpleNamespace(info=SimpleNamespace(run_id=f"id of {name}"))
            for name in type(self).names
            if words == f"attributes.run_name = '{name}'"
        ]


class Recorder:
    """Stand-in for Lightning's logger that records what it is told."""

    def __init__(self, *arguments, **options):
        self.arguments, self.options, self.settings, self.status = arguments, options, None, None

    def log_hyperparams(self, settings):
        self.settings = settings

    def finalize(self, status):
        self.status = status


@pytest.fixture
def store(monkeypatch):
    """A store without experiments, in the place of MLflow."""
    for name, part in (("mlflow", "MlflowClient"), ("mlflow.exceptions", "MlflowException")):
        module = ModuleType(name)
        setattr(module, part, type("Store", (Store,), {}) if name == "mlflow" else MlflowException)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(pytorch_loggers, "MLFlowLogger", Recorder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return sys.modules["mlflow"].MlflowClient


@pytest.fixture
def folder(tmp_path):
    """A run folder."""
    (tmp_path / RUN).mkdir()
    return RunFolder(tmp_path / RUN)


def test_a_new_run_is_in_its_folder_and_has_its_settings(folder, store):
    with open_logger(CONFIG, folder, "search") as logger:
        assert logger.arguments == ("tails",)
        address = (folder.path / "mlruns").as_uri()
        assert logger.options == {"tracking_uri": address, "run_name": RUN}
        assert logger.settings["weights"]["momentum"] == 0.9
        assert logger.status is None
    assert logger.status == "success"
    assert store.experiments == ("tails",)


def test_a_resumed_run_goes_on_in_its_own(folder, store):
    store.experiments, store.names = ("tails",), ("another", RUN)
    with open_logger(CONFIG, folder, "search") as logger:
        assert logger.options["run_id"] == f"id of {RUN}"
        assert "run_name" not in logger.options
        assert logger.settings is None


def test_a_stage_has_a_run_of_its_own(folder, store):
    with open_logger(CONFIG, RunFolder(folder.path / "pretrain"), "pretrain") as logger:
        assert logger.options["run_name"] == f"{RUN}-pretrain"


def test_a_server_is_taken_from_the_environment(folder, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    with open_logger(CONFIG, folder, "search") as logger:
        assert logger.options["tracking_uri"] == "http://localhost:5000"


def test_a_failed_run_is_closed_as_failed(folder, store):
    with pytest.raises(KeyboardInterrupt), open_logger(CONFIG, folder, "search") as logger:
        raise KeyboardInterrupt
    assert logger.status == "failed"


def test_a_refusal_is_one_line(folder, store, monkeypatch):
    def refuse(*_):
        raise MlflowException("Connection\nrefused.")

    monkeypatch.setattr(store, "get_experiment_by_name", refuse)
    with (
        pytest.raises(UserError, match=r"^logger=mlflow: Connection refused\.: check MLFLOW_TR"),
        open_logger(CONFIG, folder, "search"),
    ):
        raise AssertionError("the logger was created")


def test_only_the_process_that_writes_files_has_a_logger(folder, store):
    with open_logger(CONFIG, RunFolder(folder.path, writes=False), "search") as logger:
        assert logger is None


def test_mlflow_that_is_not_installed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with (
        pytest.raises(UserError) as caught,
        open_logger(CONFIG, folder, "search"),
    ):
        raise AssertionError("the logger was created")
    assert str(caught.value) == (
        "logger=mlflow needs a package that is not installed: pip install mlflow-skinny"
    )


def test_mlflow_is_not_loaded_unless_it_is_asked_for(python):
    code = (
        "import sys\nsys.modules['mlflow'] = None\n"
        "import ltnas.search, ltnas.retrain, ltnas.loggers.choose\n"
        "sys.exit('ltnas.loggers.mlflow_store' in sys.modules)"
    )
    assert subprocess.run([python, "-c", code], check=False).returncode == 0
