"""Run folders: unique, never half-written, found again."""

import errno
import itertools
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from composed import composed
from conftest import TINY

from ltnas import config as c
from ltnas.distributed.processes import FOLDER_VARIABLE
from ltnas.errors import UserError
from ltnas.models.network import Network
from ltnas.models.saved import save_network
from ltnas.runs import atomic, resume
from ltnas.runs.atomic import atomically
from ltnas.runs.fingerprint import stored_fingerprint
from ltnas.runs.folder import RunFolder
from ltnas.runs.once import once
from ltnas.runs.resume import open_run
from ltnas.runs.user_paths import cache_folder
from ltnas.search import search
from ltnas.space.genotype import load_genotype

pytestmark = pytest.mark.usefixtures("unrendered")

NAME = "search-darts-exp0.1-s0"
DATA = "0123"
"""Checksum of a data set."""


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """As of a first process; what `open_run` leaves for others is taken away again."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    monkeypatch.delenv(FOLDER_VARIABLE)


@pytest.fixture
def config(tmp_path):
    """Of a run that makes its folder in an empty one."""
    return c.SearchConfig(runs=str(tmp_path / "runs"))


@pytest.fixture
def clock(monkeypatch):
    """Stands still until it is told to go on."""
    moments = {"now": "20250101-000000"}
    monkeypatch.setattr(resume.time, "strftime", lambda form, moment: moments["now"])
    return moments


def unlocked(folder):
    """A folder that its process is done with."""
    with folder:
        return folder


# --- new folders --------------------------------------------------------------------------------


def test_folders_differ_when_the_clock_does_not(config, clock, monkeypatch):
    moments = iter([1, 1, 1, 2])
    monkeypatch.setattr(resume.time, "time_ns", lambda: next(moments))
    first, second = open_run(config, NAME, DATA), open_run(config, NAME, DATA)
    assert first.path.name == f"{NAME}-20250101-000000-000000001"
    assert second.path.name == f"{NAME}-20250101-000000-000000002"
    assert list(moments) == []


def test_folders_of_threads_differ(config, clock, monkeypatch):
    monkeypatch.setattr(resume.time, "time_ns", lambda: random.randrange(8))
    start, found = threading.Barrier(8), []

    def work():
        start.wait()
        found.append(open_run(config, NAME, DATA).path)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 8
    assert all((path / "fingerprint.json").exists() for path in found)


def test_folder_that_cannot_be_made(config, tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match=r"runs=.*no folder can be made there"):
        open_run(config, NAME, DATA)


def test_a_home_folder_that_is_not_there(config):
    words = r"=~nobody-here/x: the home folder of ~nobody-here is not known"
    with pytest.raises(UserError, match="^resume" + words):
        open_run(replace(config, resume="~nobody-here/x"), NAME, DATA)
    for resumed in ("never", "auto"):
        elsewhere = replace(config, runs="~nobody-here/x", resume=resumed)
        with pytest.raises(UserError, match="^runs" + words):
            open_run(elsewhere, NAME, DATA)
        with pytest.raises(UserError, match="^runs" + words):
            once(elsewhere, lambda config: open_run(config, NAME, DATA).path, lambda config: DATA)
    with pytest.raises(UserError, match=r"^data.cache" + words):
        cache_folder("~nobody-here/x")


def test_a_name_that_is_too_long_for_a_folder(config):
    for resumed in ("never", "auto"):
        with pytest.raises(UserError, match=r"^runs=x*: no folder can be made there"):
            open_run(replace(config, runs="x" * 300, resume=resumed), NAME, DATA)


def test_other_processes_of_a_run_write_nothing(config, monkeypatch):
    config.trainer = c.Trainer(devices=2)
    first = open_run(config, NAME, DATA)
    monkeypatch.setenv("LOCAL_RANK", "1")
    other = open_run(config, NAME, DATA)
    assert other.path == first.path.absolute()
    other.write_text("note.txt", "mine")
    assert not (first.path / "note.txt").exists()
    first.write_text("note.txt", "mine")
    assert (first.path / "note.txt").read_text() == "mine"
    assert len(list(first.path.parent.iterdir())) == 1


# --- whole or not at all ------------------------------------------------------------------------


def test_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with atomically(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt()])
def test_old_content_stays_when_the_writer_fails(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")

    def write():
        with atomically(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_old_content_stays_when_the_disk_is_full(tmp_path, monkeypatch, where):
    path = tmp_path / "file.json"
    path.write_text("old")

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif where == "replace":
        monkeypatch.setattr(atomic.Path, "replace", full)
    else:  # a device that is always full, where the partial file would be
        (tmp_path / f".file.json.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(UserError) as caught:
        RunFolder(tmp_path).write_json("file.json", list(range(10)))
    message = str(caught.value)
    assert message.startswith(f"{path} could not be written (No space left on device)")
    assert "resume=auto" in message
    assert "\n" not in message
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_trained_weights_on_a_full_disk(tmp_path):
    genotype, _ = load_genotype("darts_v1")
    network = Network(genotype, 2, 1, 2, auxiliary=False)
    (tmp_path / f".network.safetensors.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"could not be written \(No space left on device\)"):
        save_network(RunFolder(tmp_path), network, {})
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource
from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.cli.command import main

save = EpochCheckpoint.on_train_epoch_end


def limited(self, trainer, module):
    if trainer.current_epoch == 1:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    save(self, trainer, module)


EpochCheckpoint.on_train_epoch_end = limited
main("search")
"""


def test_search_that_runs_out_of_disk_keeps_its_checkpoint(python, tmp_path):
    # A real limit on the size of files, from the second checkpoint on.
    arguments = [*TINY, "epochs=2", "space.nodes=1", "resume=auto"]
    done = subprocess.run(
        [python, "-c", LIMITED, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    (folder,) = (tmp_path / "runs").iterdir()
    assert line.startswith("ltnas: runs/search-darts-")
    assert "checkpoint.ckpt could not be written (File too large)" in line
    checkpoint = torch.load(folder / "checkpoint.ckpt", weights_only=True)
    assert checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] == 1
    assert not list(folder.glob(".*partial"))
    assert search(composed("search", *arguments, f"runs={tmp_path}/runs")) == folder
    assert len((folder / "history.csv").read_text().splitlines()) == 3


# --- found again --------------------------------------------------------------------------------


def resumed(config, where, checksum=DATA):
    return open_run(replace(config, resume=str(where)), NAME, checksum)


def refusal(config, where, checksum=DATA):
    with pytest.raises(UserError) as caught:
        resumed(config, where, checksum)
    message = str(caught.value)
    assert message.startswith(f"resume={where} ")
    assert "\n" not in message
    return message


def test_resume_of_a_folder(config):
    folder = unlocked(open_run(config, NAME, DATA))
    again = resumed(config, folder.path)
    assert again.path == folder.path
    assert again.lock is not None


def test_resume_of_no_folder(config, tmp_path):
    assert "is no run folder: give one that a run printed, or auto" in refusal(config, tmp_path)
    assert "is no run folder" in refusal(config, tmp_path / "nowhere")


def test_resume_with_another_configuration(config):
    folder = unlocked(open_run(config, NAME, DATA))
    other = replace(config, epochs=3)
    assert "another configuration (epochs was 40, now 3)" in refusal(other, folder.path)
    other = replace(config, weights=c.WeightOptimiser(clip=1.0))
    line = "another configuration (weights.clip was 5.0, now 1.0): give the same keys as then"
    assert line in refusal(other, folder.path)
    other = replace(config, relaxation=c.Sigmoid(0.1), seed=3)
    line = "another configuration (seed was 0, now 3; relaxation was softmax, now sigmoid)"
    assert line in refusal(other, folder.path)
    # Values on an axis may differ in nothing but their type.
    other = replace(config, selection=c.RandomDraw())
    line = "another configuration (selection was top2, now random)"
    assert line in refusal(other, folder.path)
    retrain = c.RetrainConfig(genotype="darts_v2", runs=config.runs)
    line = "another configuration (it was ltnas.search, now ltnas.retrain)"
    assert line in refusal(retrain, folder.path)
    folder.write_json("fingerprint.json", {"version": 3, "command": "search"})
    assert "has a fingerprint.json that this version cannot read" in refusal(config, folder.path)


def test_resume_with_what_does_not_change_the_result(config):
    folder = unlocked(open_run(config, NAME, DATA))
    other = replace(
        config,
        trainer=c.Trainer("cpu", threads=1),
        logger=c.Logger("none"),
        data=c.Data(cache="elsewhere"),
        runs="elsewhere",
    )
    assert resumed(other, folder.path).path == folder.path


def test_resume_of_a_finished_run(config):
    folder = unlocked(open_run(config, NAME, DATA))
    folder.write_json("metrics.json", {})
    assert "has finished: start anew without resume" in refusal(config, folder.path)


HOLD = """
import sys
from pathlib import Path
from ltnas.runs.fingerprint import stored_fingerprint
from ltnas.runs.folder import RunFolder

folder = RunFolder(Path(sys.argv[1]))
print(folder.try_lock(), flush=True)
sys.stdin.read()
"""


def test_resume_of_a_busy_run(config):
    folder = unlocked(open_run(config, NAME, DATA))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        try:
            assert other.stdout.readline() == "True\n"
            assert "is being worked on by another process" in refusal(config, folder.path)
            beside = resumed(config, "auto")
            assert beside.path != folder.path
        finally:
            other.kill()
    assert resumed(config, folder.path).path == folder.path  # the dead hold no lock


def made(config, clock, moment):
    clock["now"] = f"20250101-{moment:06}"
    return unlocked(open_run(config, NAME, DATA))


def test_auto_takes_the_newest_unfinished_run_of_the_configuration(config, clock):
    folders = [made(config, clock, moment) for moment in range(3)]
    finished = made(config, clock, 3)
    finished.write_json("metrics.json", {})
    other = made(replace(config, epochs=3), clock, 4)
    bare = made(config, clock, 5)
    (bare.path / "fingerprint.json").unlink()
    torn = made(config, clock, 6)
    (torn.path / "fingerprint.json").write_text('{"seed": 0')
    found = resumed(config, "auto")
    assert found.path == folders[2].path
    assert resumed(config, "auto").path == folders[1].path  # the first is being worked on
    assert resumed(replace(config, epochs=3), "auto").path == other.path


def test_auto_begins_a_run_where_there_is_none(config):
    first = resumed(config, "auto")
    assert stored_fingerprint(first.path) == {"version": 2, "command": "search"}
    assert first.read_json("fingerprint.json")["checksums"] == {"data.root": DATA}
    assert resumed(replace(config, seed=1), "auto").path != first.path


def test_never_takes_no_run_up(config):
    folder = unlocked(open_run(config, NAME, DATA))
    assert open_run(config, NAME, DATA).path != folder.path


def test_what_a_killed_process_left_half_written_is_removed(config):
    folder = unlocked(open_run(config, NAME, DATA))
    stage = folder.path / "pretrain"
    stage.mkdir()
    stale = [path / ".checkpoint.ckpt.123.partial" for path in (folder.path, stage)]
    kept = [path / "checkpoint.ckpt" for path in (folder.path, stage)]
    for path in itertools.chain(stale, kept):
        path.write_text("half")
    resumed(config, folder.path)
    assert [path.exists() for path in stale] == [False, False]
    assert [path.exists() for path in kept] == [True, True]


def test_folders_with_blanks_and_umlauts_and_several_users(tmp_path, commands):
    """Two people, one folder, the same command at the same time: four runs, each whole."""
    where = tmp_path / "Müllers Läufe (1)"
    where.mkdir()
    words = (*TINY, "scheme=random", "runs='gemeinsame läufe'")
    found = []
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(
            lambda _: commands.run("ltnas.search", words, where),
            range(2),
        ):
            assert done.returncode == 0, done.stderr
            found.append(where / done.stdout.splitlines()[-1])
    assert len(set(found)) == 2
    training = (*TINY, "auxiliary=0", "cutout=0", "runs='gemeinsame läufe'")
    done = commands.run("ltnas.retrain", [*training, f"genotype='{found[0]}'"], where)
    assert done.returncode == 0, done.stderr
    assert (where / done.stdout.splitlines()[-1] / "metrics.json").exists()
    done = commands.run("ltnas.report", ["gemeinsame läufe"], where)
    assert done.returncode == 0, done.stderr
    assert "3 finished" in done.stdout


# --- failures -----------------------------------------------------------------------------------


def failing(config, error):
    with open_run(config, NAME, DATA):
        raise error


def test_why_a_run_has_failed_is_kept_until_it_goes_on(config):
    for error in (UserError("no\nroom"), ValueError()):
        config.resume = "auto"
        with pytest.raises(type(error)):
            failing(config, error)
        (folder,) = Path(config.runs).iterdir()
        assert (folder / "failure.txt").read_text() in ("no room", "ValueError")
    with open_run(config, NAME, DATA) as again:
        assert again.path == folder
        assert not (folder / "failure.txt").exists()


def test_an_interrupt_is_no_failure(config):
    with pytest.raises(KeyboardInterrupt):
        failing(config, KeyboardInterrupt())
    (folder,) = Path(config.runs).iterdir()
    assert not (folder / "failure.txt").exists()
