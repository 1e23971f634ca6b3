"""The same run is recognised however its paths are written, and wherever its data lie."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from ltnas import config as c
from ltnas.data.long_tail import data_checksum
from ltnas.errors import UserError
from ltnas.runs.fingerprint import fingerprint
from ltnas.runs.resume import finished_run, open_run

NAME = "retrain-darts-exp0.1-s0"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """Current folder with the run folder of a search."""
    monkeypatch.chdir(tmp_path)
    searched = tmp_path / "runs" / "search-1"
    searched.mkdir(parents=True)
    (searched / "genotype.json").write_text('{"seed": 0}')
    return tmp_path


@pytest.fixture
def photos(project):
    """Folder of images in two classes, four in each."""
    for label, name in enumerate(("cat", "dog")):
        folder = project / "photos" / name
        folder.mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (40 * number, 100 * label, 7)).save(folder / f"{number}.png")
    return project / "photos"


def training(genotype, **settings):
    return c.RetrainConfig(genotype=genotype, resume="auto", runs="trained", **settings)


def opened(config, checksum="0123"):
    """Path of the run folder that the configuration opens, without a lock that is left over."""
    with open_run(config, NAME, checksum) as folder:
        return folder.path


def finish(path):
    (path / "metrics.json").write_text("{}")


# --- genotypes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other", ["runs/search-1/", "./runs/../runs/search-1", "runs/search-1/genotype.json", "{}", "~"]
)
def test_a_genotype_is_the_same_however_its_path_is_written(other, project, monkeypatch):
    monkeypatch.setenv("HOME", str(project))
    places = {"{}": f"{project}/runs/search-1", "~": "~/runs/search-1"}
    config, again = training("runs/search-1"), training(places.get(other, other))
    assert fingerprint(again) == fingerprint(config)
    path = opened(config)
    assert opened(again) == path
    finish(path)
    assert finished_run(again, [path], lambda config: "0123") == path


def test_published_names_stay_names_in_any_case():
    assert fingerprint(training("DARTS_V2"))["genotype"] == "darts_v2"
    assert fingerprint(training("darts_v2"))["genotype"] == "darts_v2"


def test_a_path_that_can_be_none_stays_as_it_is():
    assert fingerprint(training("~nobody-here/x"))["genotype"] == "~nobody-here/x"


def test_a_project_that_was_moved_goes_on(project, monkeypatch):
    path = opened(training("runs/search-1"))
    shutil.copytree(project / "runs", project / "elsewhere" / "runs")
    shutil.copytree(project / "trained", project / "elsewhere" / "trained")
    monkeypatch.chdir(project / "elsewhere")
    assert opened(training("runs/search-1")) == path  # both are relative
    shutil.copytree("runs/search-1", "runs/search-2")
    # An equal genotype of another search is another training.
    assert opened(training("runs/search-2")) != path


# --- data sets ------------------------------------------------------------------------------------


def with_data(root, **settings):
    data = c.Data("folder", str(root))
    return training("darts_v2", data=data, imbalance=c.Imbalance("natural"), **settings)


def test_data_that_were_moved_are_the_same(photos, project):
    config = with_data("photos/")
    path = opened(config, data_checksum(config))
    moved = photos.rename(project / "pictures")
    again = with_data(moved)
    assert opened(again, data_checksum(again)) == path
    finish(path)
    assert finished_run(again, [path], data_checksum) == path
    assert finished_run(replace(again, seed=1), [path], data_checksum) is None


def test_lists_that_were_moved_are_the_same(photos, project):
    files = sorted(photos.rglob("*.png"))
    lines = [f"{file.relative_to(photos)} {file.parent.name}\n" for file in files]
    (project / "list.txt").write_text("".join(lines))

    def listed(path, images):
        data = c.Data("list", train=str(path), images=str(images))
        return training("darts_v2", data=data, imbalance=c.Imbalance("natural"))

    config = listed("list.txt", photos)
    path = opened(config, data_checksum(config))
    again = listed((project / "list.txt").rename(project / "moved.txt"), photos)
    assert opened(again, data_checksum(again)) == path
    (project / "moved.txt").write_text("".join(lines[:-1]))
    assert opened(again, data_checksum(again)) != path


def test_data_that_have_changed_are_others(photos, capsys):
    config = with_data("photos")
    before = data_checksum(config)
    path = opened(config, before)
    Image.new("RGB", (8, 8), "white").save(photos / "cat" / "0.png")
    assert data_checksum(config) != before
    with pytest.raises(UserError, match=r"another configuration \(the content of data.root has"):
        opened(replace(config, resume=str(path)), data_checksum(config))
    assert opened(config, data_checksum(config)) != path
    assert capsys.readouterr().out == (
        f"note: {path} is unfinished, but the content of data.root has changed: a new run begins\n"
    )


def test_a_finished_run_with_other_data_at_the_same_path_is_another(photos):
    config = with_data("photos")
    path = opened(config, data_checksum(config))
    finish(path)
    assert finished_run(config, [path], data_checksum) == path
    Image.new("RGB", (8, 8), "white").save(photos / "cat" / "0.png")
    assert finished_run(config, [path], data_checksum) is None


@pytest.mark.parametrize("name", ["my.json", "runs/search-1"])
def test_a_finished_run_with_another_genotype_at_the_same_path_is_another(name, project):
    (project / "my.json").write_text('{"seed": 0}')
    config = training(name)
    path = opened(config)
    finish(path)
    assert finished_run(config, [path], lambda config: "0123") == path
    file = project / name
    (file / "genotype.json" if file.is_dir() else file).write_text('{"seed": 1}')

    def never(config):
        raise AssertionError("the data set was loaded")

    assert finished_run(config, [path], never) is None


def test_the_data_set_is_loaded_once_and_only_where_the_other_settings_are_equal(photos):
    config = with_data("photos")
    path, second = (opened(replace(config, resume="never"), "0123") for _ in range(2))
    finish(path)
    finish(second)
    calls = []

    def checksum(config):
        calls.append(config)
        return "4567"

    assert finished_run(with_data("photos", seed=1), [path, second], checksum) is None
    assert calls == []
    assert finished_run(with_data(photos), [path, second], checksum) is None
    assert len(calls) == 1


def test_data_that_cannot_be_loaded_are_compared_by_path(photos):
    config = with_data("photos")
    path = opened(config, data_checksum(config))
    finish(path)
    shutil.rmtree(photos)
    assert finished_run(config, [path], data_checksum) == path
    assert finished_run(with_data("elsewhere"), [path], data_checksum) is None


def test_checksums_depend_on_images_labels_and_names(photos):
    config, checksums = with_data("photos"), []
    checksums.append(data_checksum(config))
    (photos / "cat" / "3.png").rename(photos / "dog" / "4.png")
    checksums.append(data_checksum(config))
    (photos / "dog").rename(photos / "wolf")
    checksums.append(data_checksum(config))
    assert len(set(checksums)) == 3


@pytest.mark.parametrize(("root", "known"), [("photos", True), ("./photos/", True), ("x", False)])
def test_folders_without_checksums_are_compared_by_path(root, known, photos):
    path = opened(with_data("photos"))
    data = json.loads((path / "fingerprint.json").read_text())
    del data["checksums"]
    data["data.root"] = "photos"  # as version 0.1.0 wrote it
    (path / "fingerprint.json").write_text(json.dumps(data))
    assert (opened(with_data(root)) == path) is known


# --- notes ----------------------------------------------------------------------------------------


def test_auto_tells_what_differs_from_a_nearly_equal_run(capsys):
    nearest = opened(training("darts_v2", epochs=5))
    opened(training("darts_v2", epochs=4, cells=9, channels=8, cutout=0))
    capsys.readouterr()
    opened(training("darts_v2", epochs=9))
    assert capsys.readouterr().out == (
        f"note: {nearest} is unfinished, but epochs was 5, now 9: a new run begins\n"
    )


def test_auto_tells_nothing_of_other_runs(capsys):
    finish(opened(training("darts_v2", epochs=5)))
    opened(training("darts_v2", epochs=4, cells=9, channels=8))
    with open_run(training("darts_v2", epochs=6), NAME, "0123"):  # this one is being worked on
        capsys.readouterr()
        opened(training("darts_v2", epochs=9))
        assert capsys.readouterr().out == ""
    assert len(list(Path("trained").iterdir())) == 4
