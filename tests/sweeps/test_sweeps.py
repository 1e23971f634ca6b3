"""Sweeps of many processes: places, jobs, skipped and failed jobs, interrupts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from composed import composed
from conftest import TINY

from hydra_plugins.ltnas_launcher import sweep_name
from ltnas.config import GpusLauncher
from ltnas.errors import UserError
from ltnas.search import search
from ltnas.sweeps import devices, mps
from ltnas.sweeps.devices import Place, places, visible_gpus
from ltnas.sweeps.jobs import Job
from ltnas.sweeps.sweep import mark_done
from ltnas.sweeps.table import board, names

pytestmark = pytest.mark.usefixtures("unrendered")

EPOCH_LINE = "darts 3/40  loss 1.2  test 31.5% skips 2\n"


def script(tmp_path, name, text):
    (tmp_path / f"{name}.py").write_text(text)
    return name


def ran(one, module, place=Place("here")):  # noqa: B008 - it is frozen
    assert one.start([sys.executable, "-m", module], place)
    one.wait()


def job(tmp_path, *words, number=0):
    return Job(number, list(words), tmp_path / f"{number}.log")


# --- places -------------------------------------------------------------------------------------


def test_each_gpu_has_its_places():
    gpus = places(GpusLauncher(devices=["0", "3"], jobs_per_gpu=2))
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in gpus] == ["0", "3", "0", "3"]


def test_cores_are_shared_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "visible_gpus", list)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    names = [place.name for place in places(GpusLauncher(jobs_per_gpu=3))]
    assert names == ["cpu 0", "cpu 1", "cpu 2", "cpu 3"]
    assert {place.environment["OMP_NUM_THREADS"] for place in places(GpusLauncher())} == {"2"}
    (one,) = places(GpusLauncher(jobs=1))
    assert one.environment == {"OMP_NUM_THREADS": "8", "CUDA_VISIBLE_DEVICES": ""}
    pairs = places(GpusLauncher(gpus_per_job=2))  # of processes, with two cores each
    assert [place.environment["OMP_NUM_THREADS"] for place in pairs] == ["2", "2"]


def test_a_job_has_a_group_of_gpus():
    groups = places(GpusLauncher(devices=["0", "1", "2", "5", "6"], gpus_per_job=2))
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in groups] == ["0,1", "2,5"]
    assert [place.name for place in groups] == ["gpu 0+1", "gpu 2+5"]
    with pytest.raises(UserError, match=r"gpus_per_job=4, but there are 3 GPUs: take 3"):
        places(GpusLauncher(devices=["0", "1", "2"], gpus_per_job=4))
    with pytest.raises(UserError, match="either jobs share a GPU or a job has several"):
        GpusLauncher(jobs_per_gpu=2, gpus_per_job=2)


# --- several jobs on a GPU by MPS ---------------------------------------------------------------


@pytest.fixture
def control(tmp_path, monkeypatch):
    """A control program of MPS that notes how it was called."""
    program, calls = tmp_path / "bin" / mps.CONTROL, tmp_path / "calls"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*[$([ "$1" = -d ] || cat)] $CUDA_MPS_PIPE_DIRECTORY" >> {calls}\n'
        f"[ ! -e {tmp_path}/broken ] || {{ echo no such device >&2; exit 1; }}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv(mps.PIPES, raising=False)
    return calls


def test_jobs_that_share_a_gpu_share_it_by_mps(control, capsys):
    own = places(GpusLauncher(devices=["0"], jobs_per_gpu=2))
    with mps.shared_gpus(own, 2) as shared:
        pipes = {place.environment[mps.PIPES] for place in shared}
        assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in shared] == ["0", "0"]
    (folder,) = pipes
    assert control.read_text().splitlines() == [f"-d[] {folder}", f"[quit] {folder}"]
    assert not Path(folder).exists()
    assert capsys.readouterr().err == "note: the 2 jobs of a GPU share it by MPS\n"


def test_without_mps_jobs_take_turns(control, tmp_path, capsys, monkeypatch):
    own = places(GpusLauncher(devices=["0"], jobs_per_gpu=2))
    (tmp_path / "broken").touch()
    with mps.shared_gpus(own, 2) as shared:
        assert shared == own
    assert "failed (no such device): the 2 jobs of a GPU take turns" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    with mps.shared_gpus(own, 2) as shared:
        assert shared == own
    assert "there is no nvidia-cuda-mps-control here" in capsys.readouterr().err


def test_no_mps_where_nothing_is_shared(control, capsys, monkeypatch):
    for gpus, jobs in ((["0"], 1), ([], 2)):
        own = places(GpusLauncher(devices=gpus, jobs_per_gpu=jobs, jobs=2))
        with mps.shared_gpus(own, jobs) as shared:
            assert shared == own
    monkeypatch.setenv(mps.PIPES, "/of/the/user")
    with mps.shared_gpus(places(GpusLauncher(devices=["0"], jobs_per_gpu=2)), 2):
        pass
    assert not control.exists()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("visible", "expected"), [("0,2", ["0", "2"]), ("", []), ("-1", [])])
def test_gpus_are_those_that_are_visible(monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus() == expected


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
    (tmp_path / "metrics.json").write_text("{}")
    text = f"import os, sys; print({EPOCH_LINE!r} + os.environ['WHERE']); print(*sys.argv[1:])"
    module = script(tmp_path, "shows", f"{text}; print({str(tmp_path)!r})")
    one = job(tmp_path, "a=1", "b=2")
    ran(one, module, Place("here", {"WHERE": "there"}))
    words = "a=1 b=2 hydra.mode=RUN"  # an experiment may set another mode
    assert (one.state, one.place, one.folder) == ("done", "here", str(tmp_path))
    assert one.text().splitlines()[1:3] == ["there", words]
    assert one.progress() == ("darts", 3, 40, "31.5")
    assert one.seconds > 0


def test_a_failed_job_has_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    module = script(tmp_path, "fails", "import sys; sys.exit('ltnas: no good\\n')")
    one = job(tmp_path)
    ran(one, module)
    assert (one.state, one.folder, one.failure()) == ("failed", "", "no good")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("print('darts 1/2  loss 1 test 3%')", "it ended without a result"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL, perhaps because memory ran out"),
        ("import os; os.kill(os.getpid(), 15)", "killed by SIGTERM"),
    ],
)
def test_a_job_that_ends_badly_is_not_done(tmp_path, monkeypatch, text, why):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    one = job(tmp_path)
    ran(one, script(tmp_path, "ends", text))
    assert (one.state, one.failure()) == ("failed", why)


def test_a_job_that_cannot_be_started_fails_alone(tmp_path):
    one = Job(0, [], tmp_path / "none" / "0.log")
    assert not one.start(["true"], Place("here"))
    assert (one.state, one.failure()) == (
        "failed",
        f"{tmp_path}/none/0.log: No such file or directory",
    )


def test_the_table_shows_how_far_jobs_are(tmp_path):
    from rich.console import Console

    running = job(tmp_path, "epochs=40", "seed=0")
    waiting = job(tmp_path, "epochs=40", "seed=1", number=1)
    running.state, running.place = "running", "gpu 0"
    running.started = time.monotonic() - 30
    running.output.write_text("darts 1/40  loss 1.9  test 11.5% skips 2\n" + EPOCH_LINE)
    assert running.seconds_left() == pytest.approx(370, abs=5)
    assert waiting.seconds_left() is None
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(board([running, waiting], 24))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[1] == ["seed=0", "gpu", "0", "running", "darts", "3/40", "31.5", "6.2", "min"]
    assert lines[2] == ["seed=1", "waiting"]
    assert lines[3] == ["1", "running,", "1", "waiting"]


def test_the_table_shows_the_accuracy_of_an_unbalanced_test_split(tmp_path):
    job = Job(0, [], tmp_path / "0.txt")
    job.output.write_text("retrain 2/9  loss 1.2  test 66.7% class-balanced skips 2\n")
    assert job.progress() == ("retrain", 2, 9, "66.7")


def test_of_many_jobs_those_that_run_are_shown(tmp_path):
    from rich.console import Console

    jobs = [job(tmp_path, "a=[1,2]", f"seed={n}", number=n) for n in range(40)]
    for one in jobs[:30]:
        one.state = "done"
    for one in jobs[30:38]:
        one.state = "running"
    console = Console(width=80, height=16, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(board(jobs, console.height))
    lines = console.export_text().splitlines()
    assert len(lines) == 15
    assert sum(" running" in line for line in lines[:-1]) == 8
    assert lines[-1].strip() == "8 running, 2 waiting, 30 done"


def test_brackets_of_a_list_are_shown(tmp_path):
    from rich.console import Console

    jobs = [job(tmp_path, f"data.root=[/photos{n}]", number=n) for n in range(2)]
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(board(jobs, 24))
    assert "data.root=[/photos1]" in console.export_text()
    assert names([job(tmp_path, "a=1"), job(tmp_path, "a=1", number=1)]) == {0: "job 0", 1: "job 1"}


def test_time_left_of_a_resumed_job(tmp_path):
    running = job(tmp_path)
    running.state, running.started = "running", time.monotonic() - 600
    running.output.write_text("darts 21/40  loss 1.2  test 31.5%\n")
    assert running.seconds_left() == pytest.approx(600 * 19, rel=0.01)


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


# --- finished runs --------------------------------------------------------------------------------


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


SLEEPS = """
import pathlib, signal, sys, time
pathlib.Path("started-" + sys.argv[1]).touch()
signal.signal(signal.SIGINT, lambda *_: (time.sleep({slow}), sys.exit(130)))
time.sleep(60)
"""
SWEEP = """
import signal, sys
from pathlib import Path
from ltnas.sweeps.devices import Place
from ltnas.sweeps.jobs import Job
from ltnas.sweeps.sweep import sweep
signal.signal(signal.SIGINT, signal.default_int_handler)
jobs = [Job(n, [str(n)], Path(f"{n}.log")) for n in range(5)]
try:
    sweep(jobs, [Place("a"), Place("b")], [sys.executable, "sleeps.py"])
except KeyboardInterrupt:
    print(*(job.state for job in jobs))
"""


@pytest.mark.parametrize(("slow", "interrupts"), [(0.3, 1), (50, 2)])
def test_an_interrupt_starts_no_job_and_another_waits_for_none(tmp_path, slow, interrupts):
    (tmp_path / "sleeps.py").write_text(SLEEPS.format(slow=slow))
    done = subprocess.Popen(
        [sys.executable, "-c", SWEEP],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(list(tmp_path.glob("started-*"))) < 2:
        assert done.poll() is None, done.stderr.read()
        time.sleep(0.05)
    time.sleep(0.3)
    for _ in range(interrupts):
        done.send_signal(signal.SIGINT)
        time.sleep(0.5)
    output, errors = done.communicate(timeout=15)
    assert output.split() == ["stopped"] * 5, errors
    assert len(list(tmp_path.glob("started-*"))) == 2


def test_a_sweep_started_again_has_its_name():
    jobs = [["seed=0", "resume=auto"], ["seed=1", "resume=auto"]]
    assert sweep_name("search", jobs) == sweep_name("search", jobs[::-1])
    assert sweep_name("search", jobs) != sweep_name("search", jobs[:1])
    assert sweep_name("search", jobs).startswith("search-")


# --- the launcher -------------------------------------------------------------------------------

LAUNCHER = ("hydra/launcher=gpus", "hydra.launcher.jobs=2")


@pytest.fixture
def command(python, tmp_path):
    """Return the command of a multirun with these words; its jobs are started by `python`."""
    start = (python, "-m", "ltnas.search", "-m", *TINY, *LAUNCHER, f"runs={tmp_path}/runs")
    return lambda *words: [*start, *words]


@pytest.fixture
def launched(command):
    """Run a multirun to its end."""
    return lambda *words: subprocess.run(
        command(*words), capture_output=True, text=True, check=False
    )


def test_a_sweep_runs_each_configuration_once_and_names_failures(launched, tmp_path):
    bad = "selection=random,threshold_edge"  # under softmax there is no threshold
    done = launched("scheme=random", bad)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "selection=threshold_edge with relaxation=softmax" in done.stderr
    axes = ("scheme=random", "relaxation=softmax,sigmoid,gumbel")
    done = launched(*axes)
    assert done.returncode == 0, done.stdout + done.stderr
    folders = done.stdout.splitlines()
    assert len(set(folders)) == 3  # more than there are places for jobs
    assert all((tmp_path / "runs" / folder / "genotype.json").exists() for folder in folders)
    again = launched(*axes)
    assert again.returncode == 0, again.stderr
    assert sorted(again.stdout.splitlines()) == sorted(folders)


def test_equal_jobs_are_one_run(launched, tmp_path):
    done = launched("scheme=random", "seed=7,7")
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("runs/search-*"))) == 1
    assert len(set(done.stdout.splitlines())) == 1


def test_a_sweep_by_a_console_script_and_a_folder_of_ones_own(python, tmp_path):
    """Jobs run the same command with the same configuration files."""
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 5\n")
    script = (
        "import sys; from ltnas.cli.command import pipeline; sys.argv[0] = 'ltnas-pipeline'; "
        "pipeline()"
    )
    words = [*TINY, *LAUNCHER, "hydra.launcher.jobs=1", "scheme=random", "until=search"]
    done = subprocess.run(
        [python, "-c", script, "--config-dir=own", "-m", "experiment=mine", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("runs/search-random-*")
    assert "-s5-" in folder.name


def test_a_sweep_without_a_place_for_its_files(launched, tmp_path):
    (tmp_path / "file").write_text("")
    done = launched("scheme=random", "seed=0,1", f"runs={tmp_path}/file")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "no folder can be made there (Not a directory); take another by runs=FOLDER" in last
    assert "Traceback" not in done.stderr


def test_odd_devices(launched):
    done = launched("scheme=random", "seed=0,1", "hydra.launcher.devices=[cuda:0]")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("ltnas: hydra.launcher.devices has 'cuda:0'")


def test_a_job_on_several_devices(launched):
    """Each job of the multirun is two processes of its own, of which one writes the results."""
    # The processes of a job meet at each normalisation, of which two operations have few.
    words = ("scheme=darts", "space.nodes=1", "space.operations=[none,skip_connect]", "seed=0,1")
    words += ("hydra.launcher.gpus_per_job=2", "hydra.launcher.jobs=1")
    done = launched(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    folders = done.stdout.splitlines()
    assert len(set(folders)) == 2
    for folder in folders:
        assert "devices: 2" in (Path(folder) / "config.yaml").read_text()
        assert json.loads((Path(folder) / "metrics.json").read_text())["epochs"] == 2


def test_a_job_that_asks_for_other_devices_than_it_gets(launched):
    done = launched("scheme=random", "seed=0,1", "trainer.devices=2")
    assert done.returncode == 2
    assert "take hydra.launcher.gpus_per_job" in done.stderr.splitlines()[-1]


def test_a_job_that_fails_does_not_stop_the_others(launched):
    done = launched("scheme=random", "data.image_size=8,9", "seed=0")
    assert done.returncode == 2, done.stdout
    assert len(done.stdout.splitlines()) == 1  # the folder of the job that succeeded
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ltnas: 1 of 2 jobs failed: job 1 (images of 9x9 pixels")
    assert "Traceback" not in done.stderr


def test_an_interrupt_stops_the_jobs_which_can_be_resumed(command, tmp_path):
    long = ("scheme=darts", "epochs=500", "seed=0,1", "space.nodes=1")
    sweep = subprocess.Popen(
        command(*long),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background makes them ignore interrupts.
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
