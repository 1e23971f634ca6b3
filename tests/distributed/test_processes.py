"""Processes started by torchrun or srun: ranks, the shared run folder, and error messages."""

import json
import os
import subprocess

import pytest
from conftest import TINY

from ltnas.config import Trainer
from ltnas.distributed.processes import check_processes, rank
from ltnas.errors import UserError

pytestmark = pytest.mark.usefixtures("unrendered")

SLURM_TASKS = {"SLURM_JOB_NAME": "search", "SLURM_NTASKS": "4", "SLURM_PROCID": "3"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "RANK": "2", "LOCAL_RANK": "0"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Environment of a process that was started by hand."""
    for name in {*SLURM_TASKS, *TORCHRUN, "SLURM_JOB_ID"}:
        monkeypatch.delenv(name, raising=False)


def started(monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "processes", "expected"),
    [
        ({}, 2, 0),
        ({"LOCAL_RANK": "1"}, 2, 1),
        ({"LOCAL_RANK": "1"}, 1, 0),
        (TORCHRUN, 4, 2),
        (SLURM_TASKS, 4, 3),
        (SLURM_TASKS, 1, 0),  # tasks that are separate runs
        (SLURM_TASKS | {"SLURM_JOB_NAME": "bash"}, 4, 0),
        (SLURM_TASKS | TORCHRUN, 4, 2),  # torchrun within a task
    ],
)
def test_ranks(monkeypatch, environment, processes, expected):
    started(monkeypatch, environment)
    assert rank(processes) == expected


@pytest.mark.parametrize(
    ("environment", "trainer", "words"),
    [
        (TORCHRUN, Trainer(), "torchrun has started 4 processes"),
        (TORCHRUN, Trainer(devices=2, nodes=3), "trainer.devices=2 on trainer.nodes=3 is 6"),
        (SLURM_TASKS, Trainer(devices=2), "SLURM has started 4 tasks"),
        ({}, Trainer(devices=2, nodes=2), "trainer.nodes=2 needs processes on all of them"),
    ],
)
def test_a_wrong_number_of_processes_is_refused(monkeypatch, environment, trainer, words):
    started(monkeypatch, environment)
    with pytest.raises(UserError, match=words):
        check_processes(trainer)


@pytest.mark.parametrize(
    ("environment", "trainer"),
    [
        (TORCHRUN, Trainer(devices=2, nodes=2)),
        (SLURM_TASKS, Trainer(devices=4)),
        (SLURM_TASKS, Trainer()),
        ({}, Trainer(devices=2)),
    ],
)
def test_the_right_number_of_processes_is_accepted(monkeypatch, environment, trainer):
    started(monkeypatch, environment)
    check_processes(trainer)


def test_torchrun_makes_one_run_of_many_processes(python, tmp_path):
    command = [
        *(python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
        *("-m", "ltnas.search", *TINY, "trainer.devices=2", "scheme=darts"),
        *("space.nodes=1", "space.operations=[none,skip_connect]"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("runs/search-*")
    assert json.loads((folder / "metrics.json").read_text())["epochs"] == 2
    assert [line for line in done.stdout.splitlines() if line.startswith("runs/")] == [
        f"runs/{folder.name}"
    ]


TASK = """
from ltnas.config import SearchConfig, Trainer
from ltnas.errors import UserError
from ltnas.runs.resume import open_run
try:
    config = SearchConfig(trainer=Trainer(devices=2), resume={resume!r})
    with open_run(config, "run", "0123") as folder:
        print(folder.path.absolute(), folder.writes)
except UserError as error:
    raise SystemExit(f"refused: {{error}}")
"""


def tasks(python, tmp_path, resume):
    """Start two tasks as SLURM does; return their exit codes and outputs (stdout, stderr)."""
    shared = {"SLURM_JOB_ID": f"1{os.getpid() % 10000:04}", "SLURM_JOB_NAME": "run"}
    sizes = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NODELIST": "127.0.0.1"}
    processes = [
        subprocess.Popen(
            [python, "-c", TASK.format(resume=resume)],
            cwd=tmp_path,
            env={**os.environ, **shared, **sizes, "SLURM_PROCID": str(number)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    return [process.returncode for process in processes], outputs


def test_tasks_of_slurm_share_one_folder(python, tmp_path):
    codes, outputs = tasks(python, tmp_path, "never")
    assert codes == [0, 0], outputs
    (folder,) = (tmp_path / "runs").iterdir()
    assert [output.split() for output, _ in outputs] == [
        [str(folder), "True"],
        [str(folder), "False"],
    ]


def test_all_processes_end_if_the_first_has_no_folder(python, tmp_path):
    codes, outputs = tasks(python, tmp_path, "nowhere")
    assert codes == [1, 2]
    assert "refused: resume=nowhere is no run folder" in outputs[0][1]
    assert outputs[1] == ("", "")
