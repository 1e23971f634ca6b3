"""`python -m ltnas.predict`: its table, its file and its exit codes."""

import csv

import pytest
from composed import refusal, settings
from PIL import Image
from trained import saved_network

from ltnas.cli.command import COMMANDS, refuse_multirun
from ltnas.cli.words import with_lists
from ltnas.errors import UserError
from ltnas.predict import predict


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Folder with a run, three images and a broken one."""
    monkeypatch.chdir(tmp_path)
    saved_network(tmp_path / "run")
    (tmp_path / "photos").mkdir()
    for grey in (0, 100, 250):
        Image.new("L", (9, 12), grey).save(tmp_path / "photos" / f"{grey}.png")
    (tmp_path / "photos" / "bad.jpg").write_text("no image")
    return tmp_path


def predicted(*words):
    typed = with_lists(["run=run", *words], COMMANDS["predict"].lists)
    return predict(settings("predict", "trainer=cpu", *typed))


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_table_and_the_files_left_out(photos, capsys):
    assert predicted("images=photos") is None
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("left out: image photos/bad.jpg cannot be read (no image format is")
    shown = [line.split()[0] for line in lines[2:]]
    assert shown == ["photos/0.png", "photos/100.png", "photos/250.png"]
    assert max(map(len, lines[1:])) <= 80


def test_a_file(photos, capsys):
    out = predicted("images=photos/250.png,photos/bad.jpg", "out=new/classes.csv", "top=9")
    assert str(out) == "new/classes.csv"
    good, bad = rows(photos / out)
    assert list(good)[-3:] == ["class_3", "probability_3", "error"]
    values = [float(good[key]) for key in good if key.startswith("probability")]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)
    assert bad["class"] == ""
    assert "bad.jpg cannot be read" in bad["error"]
    assert capsys.readouterr().out.count("left out") == 1


def test_other_class_frequencies(photos):
    probability = {}
    for prior in ("training", "uniform", "[0,1,1]"):
        out = predicted("images=photos/0.png", f"prior={prior}", "out=x.csv")
        (row,) = rows(photos / out)
        names = [row[key] for key in ("class", "class_2", "class_3")]
        values = [float(row[key]) for key in ("probability", "probability_2", "probability_3")]
        probability[prior] = dict(zip(names, values, strict=True))
    assert probability["[0,1,1]"]["newt"] == 0
    # Frequencies 0.6 of newt and 0.1 of [red]: the odds of [red] against newt grow sixfold.
    odds = {prior: one["[red]"] / one["newt"] for prior, one in probability.items() if one["newt"]}
    assert odds["uniform"] / odds["training"] == pytest.approx(6, rel=1e-3)


def test_no_file_that_can_be_read(photos):
    with pytest.raises(UserError, match=r"^image photos/bad.jpg cannot be read \(no image format"):
        predicted("images=photos/bad.jpg")
    (photos / "worse.jpg").touch()
    with pytest.raises(UserError, match=r"\(and 1 more files\)$"):
        predicted("images=photos/bad.jpg,worse.jpg", "out=x.csv")
    assert len(rows(photos / "x.csv")) == 2


def test_many_files_that_cannot_be_read(photos, capsys):
    for number in range(25):
        (photos / "photos" / f"bad{number}.png").touch()
    predicted("images=photos")
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("left out: image") for line in lines) == 20
    assert "left out: 6 more files that cannot be read" in lines


def test_a_file_that_cannot_be_written(photos):
    with pytest.raises(UserError, match="out=photos is a folder: write out=FOLDER/FILE"):
        predicted("images=photos", "out=photos")
    with pytest.raises(UserError, match=r"out=photos/0\.png/x\.csv cannot be written"):
        predicted("images=photos", "out=photos/0.png/x.csv")


def test_refusals_of_a_command_line_are_one_line():
    assert refusal("predict", "images=[a]").startswith("run= is missing: add run=FOLDER")
    assert refusal("predict", "run=r").startswith("images= names no image")
    message = refusal("predict", "run=r", "images=[a]", "prior=natural")
    assert message.startswith("prior=natural is not known: choose training or uniform")
    with pytest.raises(UserError, match="leave -m out, and write images=A,B"):
        refuse_multirun("predict", ("images",), ["-m", "images=[a]"])


def test_as_a_program(photos, ltnas):
    words = ("run=run", "images=photos", "trainer=cpu", "trainer.threads=1")
    done = ltnas("predict", *words, "out=classes.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "classes.csv"
    assert len(rows(photos / "classes.csv")) == 4
