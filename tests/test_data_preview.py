"""`python -m ltnas.data`: what it prints, and the files that it writes."""

import json

import forked
import numpy as np
import pytest
from composed import settings
from matplotlib.figure import Figure
from PIL import Image

from ltnas.config import Data, Imbalance
from ltnas.data.long_tail import load_long_tail
from ltnas.data_preview import preview
from ltnas.errors import UserError

DIGITS = ("data=digits", "imbalance=exp0.1")


@pytest.fixture
def unseen(monkeypatch):
    """For previews whose contact sheet is not looked at."""
    monkeypatch.setattr(Figure, "savefig", forked.write_empty)


def previewed(tmp_path, *words):
    return preview(settings("data_preview", *words, f"out={tmp_path / 'out'}"))


def test_the_description_is_that_of_a_run(unseen, tmp_path, capsys):
    folder = previewed(tmp_path, *DIGITS, "data.validation=0.1")
    printed = capsys.readouterr().out
    tail = load_long_tail(Data("digits", validation=0.1), Imbalance("exp", 0.1))
    images = f"{sum(tail.counts)} training images, subset {tail.checksum}"
    assert printed.startswith(f"digits exp0.1: {images}\n")
    assert "balanced test: 362 images, long-tailed test: 144 images, validation: 58" in printed
    assert "8x8 pixels, 0.2 MiB, on a CPU in memory" in printed
    assert f"mean of the channels {tail.normalisation.mean[0]:.4f}, " in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert [path.name for path in folder.iterdir()] == ["contact_sheet.png"]


def test_positions_are_written_and_read_by_runs(unseen, tmp_path, capsys):
    file = tmp_path / "subset.json"
    previewed(tmp_path, *DIGITS, "data.subset_seed=4", "data.validation=0.1", f"indices={file}")
    assert f"positions of the training images: {file}" in capsys.readouterr().out.replace("\n", "")
    theirs = load_long_tail(Data("digits", subset_seed=4, validation=0.1), Imbalance("exp", 0.1))
    content = json.loads(file.read_text())
    assert content["train"] == theirs.train_indices.tolist()
    assert content["validation"] == theirs.validation_indices.tolist()
    ours = load_long_tail(Data("digits", indices=str(file)), Imbalance("exp", 0.1))
    assert ours.checksum == content["checksum"] == theirs.checksum


def test_the_contact_sheet_has_a_row_for_each_class_that_is_shown(tmp_path):
    heights = []
    for rows in (3, 20):
        folder = previewed(tmp_path / str(rows), *DIGITS, f"rows={rows}", "views=2")
        with Image.open(folder / "contact_sheet.png") as image:
            heights.append(image.height)
            pixels = np.asarray(image.convert("RGB"))
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    # Of ten classes every fourth is shown: three rows of equal height, beside ten.
    inches = [0.6 + 0.8 * shown for shown in (3, 10)]
    assert heights[1] / heights[0] == pytest.approx(inches[1] / inches[0], rel=0.02)


def test_images_stored_larger_than_they_are_seen(unseen, tmp_path, capsys):
    previewed(tmp_path, *DIGITS, "data.image_size=8", "data.stored_size=12", "data.placement=host")
    printed = capsys.readouterr().out
    assert "12x12 pixels, seen at 8x8, " in printed
    assert "on a CPU read from the disk batch by batch" in printed


def test_images_that_are_left_out_are_listed(unseen, tmp_path):
    for number in range(8):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(path)
    path.write_bytes(b"broken")
    words = ("data=folder", f"data.root={tmp_path / 'photos'}", "imbalance=natural")
    cache = f"data.cache={tmp_path / 'cache'}"
    folder = previewed(tmp_path, *words, cache, "data.broken=skip", "data.image_size=8")
    assert (folder / "skipped_images.txt").read_text() == f"{path}\n"


def test_files_that_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match=r"indices=.*/none/subset.json cannot be written"):
        previewed(tmp_path, *DIGITS, f"indices={tmp_path / 'none' / 'subset.json'}")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"out=.*/file/out cannot be created"):
        previewed(tmp_path / "file", *DIGITS)


def test_it_is_a_module_of_its_own(ltnas, tmp_path):
    done = ltnas("data", *DIGITS, "views=1", "rows=2")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "preview"
    assert (tmp_path / "preview" / "contact_sheet.png").exists()
    refused = ltnas("data", *DIGITS, "views=0")
    assert refused.returncode == 2
    assert refused.stderr.strip().endswith("views=0 must be 1 or more")
