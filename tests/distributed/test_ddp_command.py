"""`trainer=ddp`: two processes, one run folder, the numbers of one process."""

import csv
import os
import subprocess

import pytest
from conftest import TINY
from safetensors.torch import load_file

pytestmark = pytest.mark.usefixtures("unrendered")

KILLED = """
import os, signal, sys
from ltnas.training.search_module import SearchModule

step = SearchModule.training_step

def die(self, batches, index):
    if self.global_rank == 1 and self.current_epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    step(self, batches, index)

SearchModule.training_step = die
from ltnas.cli.command import search
search()
"""
SEARCH = (
    *(*TINY, "scheme=darts", "channels=4", "architecture.learning_rate=0.01"),
    # Few operations: the ranks meet at each normalisation, and many times for the eigenvalue.
    *("space.nodes=1", "space.operations=[none,skip_connect,max_pool_3x3,sep_conv_3x3]"),
    *("collapse.hessian_every=2", "perturbation=random", "perturbation.first_epsilon=0.1"),
    *("operation_stopping=oles", "operation_stopping.steps=3", "operation_stopping.threshold=0.72"),
)


def rows(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_two_processes_write_one_run_that_equals_one_process(ltnas, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    one = ltnas("search", *SEARCH, "runs=one", env=environment)
    two = ltnas("search", *SEARCH, "runs=two", "trainer.devices=2", env=environment)
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, two.stderr
    (alone,), (shared,) = (list((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert two.stdout.splitlines().count(f"two/{shared.name}") == 1
    assert two.stdout.splitlines()[-1] == f"two/{shared.name}"
    assert {path.name for path in shared.iterdir()} == {path.name for path in alone.iterdir()}
    for ours, theirs in zip(rows(shared), rows(alone), strict=True):
        assert ours["frozen_operations"] == theirs["frozen_operations"]
        for column in ("train_loss", "architecture_loss", "train_accuracy"):
            assert float(ours[column]) == pytest.approx(float(theirs[column]), rel=1e-3)
    assert int(rows(shared)[-1]["frozen_operations"]) > 0
    ours, theirs = (float(rows(run)[-1]["largest_eigenvalue"]) for run in (shared, alone))
    assert ours == pytest.approx(theirs, rel=1e-3)
    ours, theirs = (load_file(path / "architecture.safetensors") for path in (shared, alone))
    for kind in ("normal", "reduce"):
        assert (ours[kind] - theirs[kind]).abs().max() < 1e-3


def test_a_killed_rank_is_named_in_one_line(python, tmp_path):
    program = tmp_path / "killed.py"  # each rank runs it again
    program.write_text(KILLED)
    done = subprocess.run(
        [python, str(program), *SEARCH, "trainer.devices=2", "runs=runs"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("ltnas: rank 1 of this run was killed by SIGKILL: ")
    assert "resume=auto" in line
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "checkpoint.ckpt").exists()
