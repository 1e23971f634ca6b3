"""Command lines as a user types them, run as programs."""

import json

import pytest
from conftest import TINY
from omegaconf import OmegaConf

from ltnas.cli.messages import refuse_run_folders
from ltnas.errors import UserError


@pytest.mark.parametrize(
    ("argument", "words"),
    [("scheme=dart", "did you mean scheme=darts?"), ("imbalance.factor=3", "outside (0, 1]")],
)
def test_wrong_command_line_ends_with_2_and_one_line(ltnas, tmp_path, argument, words):
    done = ltnas("search", argument)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"ltnas: {argument}")
    assert words in line
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_several_devices_inside_a_multirun_are_refused(ltnas, tmp_path):
    done = ltnas("search", "-m", "seed=0,1", "trainer.devices=2", *TINY)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ltnas: trainer.devices=2 inside a multirun")
    assert "without -m" in last
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/search-*"))


def test_multirun_makes_a_folder_for_each_job(ltnas, tmp_path):
    done = ltnas("search", "-m", "seed=0,1", "scheme=random", *TINY)
    assert done.returncode == 0, done.stderr
    found = [json.loads(path.read_text()) for path in tmp_path.glob("runs/search-*/metrics.json")]
    assert sorted(metrics["seed"] for metrics in found) == [0, 1]


def test_a_multirun_with_resume_auto_skips_what_has_finished(ltnas, tmp_path):
    def finished(*words):
        done = ltnas("search", *words, "scheme=random", *TINY)
        assert done.returncode == 0, done.stderr
        folders = [line for line in done.stdout.splitlines() if line.startswith("runs/")]
        return folders, len(list(tmp_path.glob("runs/search-*/metrics.json")))

    first, _ = finished("seed=0")
    both, count = finished("-m", "seed=0,1", "resume=auto")
    assert (both[:1], len(both), count) == (first, 2, 2)
    assert finished("-m", "seed=0,1", "resume=auto") == (both, 2)
    again, count = finished("-m", "seed=0", "resume=never")
    assert again != first
    assert count == 3


@pytest.fixture
def run_folder(tmp_path):
    """The folder of a run with the files that could be taken for a configuration."""
    folder = tmp_path / "runs" / "search-darts"
    folder.mkdir(parents=True)
    (folder / "fingerprint.json").write_text("{}")
    (folder / "config.yaml").write_text("epochs: 1\n")
    return folder


@pytest.mark.parametrize(
    "flags",
    [
        ["--config-path", "{folder}", "--config-name", "config"],
        ["--config-dir={folder}", "--config-name=config"],
        ["seed=1", "-cd", "runs/search-darts", "-cn", "config"],
        ["-m", "--config-path", "{folder}", "--config-name", "config", "seed=0,1"],
    ],
)
def test_a_run_folder_is_no_folder_of_configuration_files(ltnas, run_folder, flags):
    done = ltnas("search", *(flag.format(folder=run_folder) for flag in flags))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "runs/search-darts is a run folder, not a folder of configuration files" in line
    assert "runs/search-darts/provenance.json; to go on with it, add resume=" in line


def test_a_configuration_file_that_is_none_of_the_command(ltnas, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text("epochs: 1\n")
    done = ltnas("search", "--config-dir", "own", "--config-name", "mine")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "ltnas: --config-name mine: this file is no configuration of ltnas.search"
    )
    assert "experiment=mine" in line


def test_flags_of_hydra_may_follow_keys(ltnas, tmp_path):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "mine.yaml").write_text("# @package _global_\nepochs: 7\n")
    words = ("seed=3", "--config-dir", "own", "experiment=mine", "--cfg", "job", "channels=4")
    done = ltnas("search", *words)
    assert done.returncode == 0, done.stderr
    shown = OmegaConf.create(done.stdout)
    assert (shown.seed, shown.epochs, shown.channels) == (3, 7, 4)


def test_words_that_are_no_paths_are_no_run_folders(run_folder):
    seeds = f"seed={','.join(map(str, range(300)))}"
    refuse_run_folders(["-m", seeds, "x" * 300, f"--config-dir={'x' * 300}", "a\0b", ""])
    refuse_run_folders([f"resume={run_folder}"])
    with pytest.raises(UserError, match=f"^{run_folder} is a run folder"):
        refuse_run_folders(["seed=0", str(run_folder)])
