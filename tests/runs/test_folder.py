"""Run folders below a folder, with links among them."""

import pytest

from ltnas.runs.folder import run_folders, without_time


@pytest.fixture
def runs(tmp_path):
    """Folder with two run folders, one of them with a stage that has a fingerprint too."""
    for name in ("runs/a", "runs/sweep/b", "runs/sweep/b/pretrain"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "fingerprint.json").write_text("{}")
    return tmp_path / "runs"


def test_stages_are_part_of_their_run(runs):
    assert list(run_folders(runs)) == [runs / "a", runs / "sweep" / "b"]
    assert list(run_folders(runs / "a")) == [runs / "a"]


def test_links_in_a_circle_are_followed_once(runs):
    (runs / "here").symlink_to(".")
    (runs / "again").symlink_to("../runs")
    (runs / "sweep" / "up").symlink_to(runs)
    assert list(run_folders(runs)) == [runs / "a", runs / "sweep" / "b"]


def test_a_run_has_its_own_path_and_not_that_of_a_link(runs):
    (runs / "Latest").symlink_to("sweep/b")
    (runs / "0").symlink_to("a")
    assert list(run_folders(runs)) == [runs / "a", runs / "sweep" / "b"]


def test_links_to_runs_elsewhere_are_followed(runs, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "linked").symlink_to(runs / "sweep")
    assert list(run_folders(tmp_path / "other")) == [tmp_path / "other" / "linked" / "b"]


def test_names_without_time():
    assert without_time("search-darts-exp0.1-s0-20261128-140757-341205947") == (
        "search-darts-exp0.1-s0"
    )
    assert without_time("darts_v2") == "darts_v2"
