"""Sweeps of many processes: places, jobs, what is skipped, what fails, what an interrupt does."""

import os
import signal
import subprocess
import sys
import time

import pytest
from composed import composed
from conftest import TINY

from ltnas.search import search
from ltnas.sweeps import devices
from ltnas.sweeps.devices import Place, places, visible_gpus
from ltnas.sweeps.jobs import Job
from ltnas.sweeps.sweep import mark_done
from ltnas.sweeps.table import table

SPOKEN = "darts 3/40  loss 1.2  test 31.5% skips 2\n"


def script(tmp_path, name, text):
    (tmp_path / f"{name}.py").write_text(text)
    return name


def job(tmp_path, *words, number=0):
    return Job(number, list(words), tmp_path / f"{number}.log")


# --- places -------------------------------------------------------------------------------------


def test_each_gpu_has_its_places():
    found = places(["0", "3"], 2, None)
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in found] == ["0", "3", "0", "3"]


def test_cores_are_shared_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "visible_gpus", list)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert [place.name for place in places(None, 3, None)] == ["cpu 0", "cpu 1", "cpu 2", "cpu 3"]
    assert {place.environment["OMP_NUM_THREADS"] for place in places(None, 1, None)} == {"2"}
    (one,) = places(None, 1, 1)
    assert one.environment == {"OMP_NUM_THREADS": "8"}


@pytest.mark.parametrize(("visible", "found"), [("0,2", ["0", "2"]), ("", []), ("-1", [])])
def test_gpus_are_those_that_are_visible(monkeypatch, visible, found):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus() == found


def test_gpus_are_asked_of_the_driver(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A'\necho 'GPU 1: B'\necho '  MIG'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert visible_gpus() == ["0", "1"]


# --- jobs ---------------------------------------------------------------------------------------


def test_a_job_has_its_place_and_leaves_its_output(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = f"import os, sys; print({SPOKEN!r} + os.environ['WHERE']); print(*sys.argv[1:])"
    module = script(tmp_path, "shows", text)
    one = job(tmp_path, "a=1", "b=2")
    one.run(module, Place("here", {"WHERE": "there"}))
    said = "a=1 b=2 hydra.mode=RUN"  # an experiment may make a sweep of any command
    assert (one.state, one.place, one.folder) == ("done", "here", said)
    assert one.text().splitlines()[1:] == ["there", said]
    assert one.progress() == ("darts", 3, 40, "31.5")
    assert one.seconds > 0


def test_a_job_that_fails_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    module = script(tmp_path, "fails", "import sys; sys.exit('ltnas: no good\\n')")
    one = job(tmp_path)
    one.run(module, Place("here"))
    assert (one.state, one.folder, one.last_words()) == ("failed", "", "no good")


def test_the_table_shows_how_far_jobs_are(tmp_path):
    from rich.console import Console

    running = job(tmp_path, "epochs=40", "seed=0")
    waiting = job(tmp_path, "epochs=40", "seed=1", number=1)
    running.state, running.place = "running", "gpu 0"
    running.started = time.monotonic() - 30
    running.output.write_text(SPOKEN)
    assert running.seconds_left() == pytest.approx(370, abs=5)
    assert waiting.seconds_left() is None
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(table([running, waiting]))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[1] == ["seed=0", "gpu", "0", "running", "darts", "3/40", "31.5", "6.2", "min"]
    assert lines[2] == ["seed=1", "waiting"]


def test_time_left_is_that_of_the_present_stage(tmp_path):
    running = job(tmp_path)
    running.state, running.started = "running", time.monotonic() - 1000
    running.output.write_text("darts 40/40  loss 1.2  test 31.5% skips 2\n")
    assert running.seconds_left() == 0
    with running.output.open("a") as output:
        output.write("retrain 1/5  loss 1.2  test 31.5%\n")
    assert running.seconds_left() is None
    running.stage = ("retrain", time.monotonic() - 20, 1)
    with running.output.open("a") as output:
        output.write("retrain 3/5  loss 1.2  test 31.5%\n")
    assert running.seconds_left() == pytest.approx(20, abs=1)


# --- what is done -------------------------------------------------------------------------------


def test_finished_runs_of_the_same_configuration_are_known(tmp_path):
    config = composed("search", "scheme=random", f"runs={tmp_path}/runs")
    folder = search(config)
    other = composed("search", "scheme=random", "seed=1", f"runs={tmp_path}/runs")
    jobs = [job(tmp_path), job(tmp_path, number=1)]
    mark_done(jobs, [config, other])
    assert [(one.state, one.folder) for one in jobs] == [
        ("done before", str(folder)),
        ("waiting", ""),
    ]
    (folder / "metrics.json").unlink()
    again = job(tmp_path)
    mark_done([again], [config])
    assert again.state == "waiting"


# --- the launcher -------------------------------------------------------------------------------

LAUNCHER = ("hydra/launcher=gpus", "hydra.launcher.jobs=2")


def command(tmp_path, *words):
    return [
        *(sys.executable, "-m", "ltnas.search", "-m", *TINY, *LAUNCHER),
        *(f"runs={tmp_path}/runs", *words),
    ]


def launched(tmp_path, *words):
    return subprocess.run(command(tmp_path, *words), capture_output=True, text=True, check=False)


def test_a_sweep_runs_names_what_failed_and_does_nothing_twice(tmp_path):
    axes = ("scheme=random", "seed=0,1", "relaxation=softmax,sigmoid")
    bad = "selection=random,threshold_edge"  # under softmax there is no threshold
    done = launched(tmp_path, *axes, bad, "scheme=random")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "selection=threshold_* with relaxation=softmax" in done.stderr
    done = launched(tmp_path, *axes)
    assert done.returncode == 0, done.stdout + done.stderr
    folders = done.stdout.splitlines()
    assert len(set(folders)) == 4
    assert all((tmp_path / "runs" / folder / "genotype.json").exists() for folder in folders)
    again = launched(tmp_path, *axes)
    assert again.returncode == 0, again.stderr
    assert sorted(again.stdout.splitlines()) == sorted(folders)


def test_a_job_that_fails_does_not_stop_the_others(tmp_path):
    done = launched(tmp_path, "scheme=random", "data.image_size=8,9", "seed=0")
    assert done.returncode == 2, done.stdout
    assert len(done.stdout.splitlines()) == 1  # of the one that could be done
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ltnas: 1 of 2 jobs failed: job 1 (images of 9x9 pixels")
    assert "Traceback" not in done.stderr


def test_an_interrupt_ends_the_jobs_and_leaves_them_to_be_gone_on_with(tmp_path):
    long = ("scheme=darts", "epochs=500", "seed=0,1", "space.nodes=1")
    sweep = subprocess.Popen(
        command(tmp_path, *long),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background has them ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        interrupted(sweep, tmp_path)
    finally:
        sweep.kill()


def interrupted(sweep, tmp_path):
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("runs/search-*/checkpoint.ckpt"))) < 2:
        assert time.monotonic() < deadline
        assert sweep.poll() is None, sweep.stderr.read()
        time.sleep(0.2)
    sweep.send_signal(signal.SIGINT)
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert errors.splitlines()[-1].startswith("interrupted; the same command")
    folders = list(tmp_path.glob("runs/search-*"))
    assert len(folders) == 2
    for folder in folders:
        assert not (folder / "metrics.json").exists()
        assert (folder / "checkpoint.ckpt").exists()
        assert not list(folder.rglob("*.partial"))
