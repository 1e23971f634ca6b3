"""The study for a GPU, tried on the CPU: cut off, called again, finished, with the same results."""

import io
import json
import sys
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from conftest import REPOSITORY
from PIL import Image

from benchmarks import gpu_study

PIECES = "search-fairdarts_ssl-exp0.1-s0,train-fairdarts_ssl-exp0.1-s0,search-random-exp0.1-s0"
pytestmark = pytest.mark.usefixtures("unrendered")

SMALL = "channels=4,cells=3,epochs=2,batch_size=16,limit_batches=1,limit_test_batches=1"


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(file, "png")
    return {"bytes": file.getvalue()}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Noise in the files of the Hugging Face hub: 40 training and 20 test images of each class."""
    folder = tmp_path_factory.mktemp("cifar")
    random = torch.Generator().manual_seed(0)
    for name, count in (("train", 400), ("test", 200)):
        pixels = torch.randint(256, (count, 32, 32, 3), generator=random, dtype=torch.uint8)
        table = {"img": [png(one) for one in pixels], "label": [i % 10 for i in range(count)]}
        pq.write_table(pa.table(table), folder / f"{name}-00000-of-00001.parquet")
    return folder


@pytest.fixture
def call(images, commands, monkeypatch):
    """Call the study with these words, and return the lines that it prints."""
    monkeypatch.setattr(sys, "executable", commands.executable)  # it starts pieces by it
    small = (f"data={images}", "device=cpu", "commit=abc", f"pieces={PIECES}", f"small={SMALL}")

    def run(out, *words):
        words = (f"out={out}", *small, *words)
        done = commands.run("benchmarks.gpu_study", words, REPOSITORY)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def results(out):
    """Return what the finished pieces have found, without times and versions."""
    found = {}
    with tarfile.open(out / "results.tar.gz") as archive:
        for member in archive:
            if member.isfile():
                result = json.load(archive.extractfile(member))
                assert result["commit"] == "abc"
                found[result["name"]] = {k: result[k] for k in ("command", "curves", "genotype")}
                assert "error" not in result
    return found


def test_a_study_goes_on_where_it_was_cut_off(call, images, tmp_path):
    whole = call(tmp_path / "whole", "minutes=20")
    assert whole == [*(f"{name}: done" for name in PIECES.split(",")), "all done"]
    expected = results(tmp_path / "whole")
    assert set(expected) == set(PIECES.split(","))
    assert len(expected[PIECES.split(",")[1]]["curves"]["train_loss"]) == 2

    # The first call has no time for a training, the second one none left at all.
    first = tmp_path / "first"
    study = gpu_study.Study({**gpu_study.DEFAULTS, "out": str(first), "minutes": "20"})
    study.words |= {"data": str(images), "device": "cpu", "small": SMALL, "commit": "abc"}
    search, train, _ = [piece for piece in gpu_study.pieces() if piece.name in PIECES.split(",")]
    assert study.run(search) == "done"
    study.end = 0.0
    assert study.run(train) == "interrupted"
    study.pack()
    state = sorted(path.name for path in first.glob("state.*"))
    assert state[0] == "state.000"
    assert set(results(first)) == {search.name}

    # Another machine, which only has the state.
    lines = call(tmp_path / "second", f"state={first}", "minutes=20")
    assert lines == [*(f"{name}: done" for name in PIECES.split(",")[1:]), "all done"]
    assert results(tmp_path / "second") == expected


def test_checks_and_timings_run(call, tmp_path):
    lines = call(tmp_path / "out", "minutes=20", "pieces=correctness,steps")
    assert lines == ["correctness: done", "steps: done", "all done"]
    with tarfile.open(tmp_path / "out" / "results.tar.gz") as archive:
        checks, steps = (
            json.load(archive.extractfile(f"results/{name}.json"))["rows"]
            for name in ("correctness", "steps")
        )
    assert {row["step"] for row in steps} == {"darts", "training"}
    assert all(set(row["times"]) == {"plain", "eager", "captured"} for row in steps)
    assert len(checks) == 6
    assert all(row["losses"] == 0.0 for row in checks)  # both sides are the CPU here


def test_a_piece_is_not_started_without_time(call, tmp_path):
    lines = call(tmp_path / "out", "minutes=0.1")
    assert lines == [f"call again: {PIECES.split(',')[0]} is next"]


def test_a_failed_piece_is_told_and_not_tried_again(call, tmp_path):
    broken = f"small={SMALL},channels=3"
    piece = PIECES.split(",")[0]
    first = call(tmp_path / "first", "minutes=20", broken, f"pieces={piece}")
    assert first[0].startswith(f"{piece}: failed (exit code 2): ")
    assert "channels=3 must be even" in first[0]
    with tarfile.open(tmp_path / "first" / "results.tar.gz") as archive:
        found = json.load(archive.extractfile(f"results/{piece}.failed.json"))
    assert "channels=3 must be even" in found["log"][-1]
    again = ("minutes=20", f"pieces={piece}", f"state={tmp_path / 'first'}")
    assert call(tmp_path / "second", *again) == ["all done"]


def test_a_study_names_the_paper_s_pieces_first():
    names = [piece.name for piece in gpu_study.pieces()]
    assert names[:4] == ["correctness", "steps", *PIECES.split(",")[:2]]
    assert len(set(names)) == len(names)
    for piece in gpu_study.pieces():
        assert not piece.needs or piece.needs in names[: names.index(piece.name)]
