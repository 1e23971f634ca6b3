"""A run that is killed and started again ends as one that was never killed, to the bit."""

import os
import signal
import subprocess
import time

import pytest
from conftest import TINY
from safetensors.torch import load_file

pytestmark = pytest.mark.usefixtures("unrendered")

ARGUMENTS = [
    *(*TINY, "scheme=fairdarts_ssl", "objective.hidden=16", "objective.outputs=8"),
    *("epochs=3", "space.nodes=2", "resume=auto", "architecture.learning_rate=0.01"),
]
SAME = ("history.csv", "architecture.csv", "genotypes.json", "genotype.json")


WHOLE = ["-m", "ltnas.search"]
DIES_AS_IT_SAVES = """
import os, signal, sys
from lightning import Trainer

save, saved = Trainer.save_checkpoint, []

def die(self, path, *arguments, **options):
    saved.append(path)
    save(self, path, *arguments, **options)
    if len(saved) == 2:
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

Trainer.save_checkpoint = die
sys.argv[0] = "search"
from ltnas.cli.command import main
main("search")
"""


@pytest.fixture(scope="module")
def start(python):
    """Start a run in a folder."""
    return lambda folder, program=WHOLE: subprocess.Popen(
        [python, *program, *ARGUMENTS],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_folders(folder):
    return list((folder / "runs").glob("search-*")) if (folder / "runs").is_dir() else []


def kill_when(process, folder, condition):
    """Send SIGKILL to a run as soon as the condition on its run folder holds."""
    while process.poll() is None:
        if any(condition(path) for path in run_folders(folder)):
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"


@pytest.fixture(scope="module")
def finish(commands):
    """Run the same command to its end, and return the only run folder."""

    def run(folder):
        done = commands.run("ltnas.search", ARGUMENTS, folder)
        (path,) = run_folders(folder)
        assert (path / "metrics.json").exists(), done.stdout + done.stderr
        return path

    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory, finish):
    """A run that nobody killed."""
    return finish(tmp_path_factory.mktemp("whole"))


def has_rows(path, rows):
    history = path / "history.csv"
    return history.exists() and len(history.read_text().splitlines()) > rows


MOMENTS = {
    "before the first epoch ends": lambda path: (path / "provenance.json").exists(),
    "after the second epoch": lambda path: has_rows(path, 2),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_resumed_equals_never_killed(tmp_path, whole, start, finish, moment):
    kill_when(start(tmp_path), tmp_path, MOMENTS[moment])
    check_resumes(finish(tmp_path), whole)


def test_killed_while_a_checkpoint_is_written(tmp_path, whole, start, finish):
    process = start(tmp_path, ["-c", DIES_AS_IT_SAVES])
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, output
    (path,) = run_folders(tmp_path)
    assert list(path.glob(".checkpoint*partial"))
    check_resumes(finish(tmp_path), whole)


def check_resumes(again, whole):
    for name in SAME:
        assert (again / name).read_bytes() == (whole / name).read_bytes(), name
    ours, theirs = (load_file(path / "architecture.safetensors") for path in (again, whole))
    assert set(ours) == {"normal", "reduce"}
    assert all(ours[kind].equal(theirs[kind]) for kind in ours)
    assert not list(again.glob(".*partial"))


def test_finished_run_is_not_taken_up_again(whole, commands):
    folder = whole.parent.parent
    assert commands.run("ltnas.search", ARGUMENTS, folder).returncode == 0
    assert len(run_folders(folder)) == 2


def test_asked_to_end_a_run_says_so_and_can_go_on(python, tmp_path):
    command = [python, "-m", "ltnas.search", *TINY, "scheme=darts", "space.nodes=1"]
    run = subprocess.Popen(
        [*command, "epochs=500"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob("runs/search-*/checkpoint.ckpt")):
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.1)
    run.terminate()  # as schedulers do
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 143
    assert errors.splitlines()[-1] == "terminated; the same command with resume=auto goes on"
