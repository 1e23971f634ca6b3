"""Runs and sweeps that are killed at random moments; the benchmarks do so a hundred times."""

import subprocess
import sys

import pytest
from conftest import REPOSITORY


def test_runs_that_are_killed_end_as_if_they_were_not(commands):
    done = commands.run("benchmarks.survival", ["kills=6"], REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1].split()[2]) >= 6


@pytest.mark.skipif(sys.platform != "linux", reason="jobs end with their launcher on Linux alone")
def test_a_sweep_that_is_killed_does_each_job_once():
    # By real interpreters: jobs are children of the launcher, with which they end.
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.survival_sweep", "jobs=2", "kills=2", "seed=3"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert last == "2 jobs, each finished once, after {'launcher': 1, 'job': 1}"
