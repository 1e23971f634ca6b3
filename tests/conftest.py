"""What several test files use."""

import gc
import os
import subprocess
import tempfile
from pathlib import Path

import forked
import pytest
import quick_hydra
import torch
from matplotlib.figure import Figure

from ltnas.runs.user_paths import cache_folder

quick_hydra.install()

# Read by Triton when it is imported: its kernels run in an interpreter where there is no GPU.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# For processes that tests start: on few cores threads wait for each other, and burn time doing so.
os.environ["OMP_NUM_THREADS"] = "1"

REPOSITORY = Path(__file__).resolve().parent.parent

TINY = (
    *("data=digits", "data.image_size=8", "imbalance=exp0.1", "trainer=cpu", "trainer.threads=1"),
    *("cells=3", "channels=4", "batch_size=32", "limit_batches=2", "epochs=2"),
)
"""The smallest run that has everything: two reductions, both kinds of cell, two epochs."""


def pytest_configure(config):
    """Keep decoded images of tests out of the user's cache; compiled kernels are shared with it."""
    kernels = cache_folder(None) / "kernels"
    kernels.mkdir(parents=True, exist_ok=True)
    own = tempfile.TemporaryDirectory(prefix="ltnas-tests-")
    config.add_cleanup(own.cleanup)
    os.environ["XDG_CACHE_HOME"] = own.name
    cache_folder(None).mkdir()
    (cache_folder(None) / "kernels").symlink_to(kernels.resolve())


def pytest_collection_finish():
    """Objects of the modules, a million, are not looked at by each collection of each test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tests are small; on few cores threads cost more than they give."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def quick_interpreter():
    """For files that run Triton's kernels without a GPU; see `interpreted`."""
    import interpreted

    with interpreted.quickly():
        yield


@pytest.fixture
def no_pictures(monkeypatch):
    """For runs of which no picture is looked at: pictures are half of their time."""
    for name in ("architecture", "curves", "cells", "pruning"):
        monkeypatch.setattr(f"ltnas.search.plot_{name}", lambda folder: None)
    for name in ("curves", "cells"):
        monkeypatch.setattr(f"ltnas.retrain.plot_{name}", lambda folder: None)


@pytest.fixture(scope="module")
def unrendered():
    """For runs whose pictures have to be drawn and to be there, but not to be looked at.

    To render them takes half of a small run; tests/plots and tests/cli do it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", forked.write_empty)
        patch.setenv(forked.UNRENDERED, "1")  # for commands
        yield


@pytest.fixture(scope="session")
def commands():
    """Runs commands; see `forked`."""
    server = forked.Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def python(commands):
    """Path of a program that runs modules and files as Python does, but starts at once."""
    return commands.executable


@pytest.fixture
def ltnas(tmp_path, commands):
    """Run `python -m ltnas.<command>` in an empty folder, as a user does."""

    def run(command: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        return commands.run(f"ltnas.{command}", arguments, tmp_path, **options)

    return run


@pytest.fixture
def load_data(tmp_path):
    """Function that loads a source of images with a cache folder of this test."""
    from ltnas.config import Data
    from ltnas.data.sources import load_source

    def load(source, root=None, **settings):
        root = root if root is None else str(root)
        return load_source(Data(source, root, cache=str(tmp_path / "cache"), **settings))

    return load


@pytest.fixture
def data_error(load_data):
    """Function that returns the message of the `UserError` raised by loading a source."""
    from ltnas.errors import UserError

    def error(*args, **settings):
        with pytest.raises(UserError) as caught:
            load_data(*args, **settings)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return error
