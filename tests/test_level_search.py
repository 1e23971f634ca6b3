"""Searches with several learners, end to end: teaching, self-explanation and interleaving."""

import csv
import json

import numpy as np
import pytest
import torch
from composed import composed
from PIL import Image
from safetensors.torch import load_file

from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.data.long_tail import data_checksum
from ltnas.runs.columns import other_learners
from ltnas.runs.folder import RunFolder
from ltnas.search import search

pytestmark = pytest.mark.usefixtures("unrendered")

FILES = ("history.csv", "architecture.csv", "genotypes.json", "genotype.json")
CASES = {
    "learning_by_teaching": ("second_network=resnet20",),
    "self_explanation": ("second_network=supernet", "levels.explanation=detached"),
    "interleaving": ("relaxation=gumbel", "progression=widen", "progression.operations=[4,2]"),
}
"""Settings of each scheme: a discrete student, a random attack, and stages with noise."""
OTHERS = {
    "learning_by_teaching": "student",
    "self_explanation": "audience",
    "interleaving": "learner_2",
}


def configured(scheme, runs, *arguments):
    space = ("space.nodes=1", "space.operations=[none,skip_connect,max_pool_3x3,sep_conv_3x3]")
    sizes = (*space, "epochs=2", "batch_size=16", "channels=4", "cells=3")
    stages = ("progression.partial_channels=[2,1]",) if scheme == "interleaving" else ()
    limits = ("limit_batches=2", "limit_test_batches=1", "collapse.hessian_every=0")
    words = (*sizes, *limits, *CASES[scheme], *stages, f"runs={runs}", *arguments)
    return composed("search", f"scheme={scheme}", *words)


@pytest.fixture(scope="module", params=CASES)
def run(request, tmp_path_factory):
    """Scheme, and run folder of a search of two epochs."""
    return request.param, search(configured(request.param, tmp_path_factory.mktemp("runs")))


def rows(folder):
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_history_has_losses_and_accuracies_of_each_learner(run):
    scheme, folder = run
    name = OTHERS[scheme]
    assert other_learners(rows(folder)[0]) == [name]
    for row in rows(folder):
        assert 0 <= float(row[f"{name}_accuracy"]) <= 1
        assert float(row[f"{name}_loss"]) > 0
        assert float(row[f"architecture_loss_{name}"]) > 0
    assert json.loads((folder / "metrics.json").read_text())["epochs"] == 2


def test_killed_and_resumed_equals_never_killed(run, tmp_path, monkeypatch):
    scheme, whole = run
    save = EpochCheckpoint.on_train_epoch_end

    class Killed(Exception):
        pass

    def die(self, trainer, module):
        save(self, trainer, module)
        if module.epoch == 0:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(EpochCheckpoint, "on_train_epoch_end", die)
        with pytest.raises(Killed):
            search(configured(scheme, tmp_path))
    (folder,) = tmp_path.glob("search-*")
    assert search(configured(scheme, tmp_path, "resume=auto")) == folder
    for name in FILES:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    ours, theirs = (load_file(path / "architecture.safetensors") for path in (folder, whole))
    assert all(ours[name].equal(theirs[name]) for name in theirs)


def test_the_console_tells_the_cost_before_and_after_the_first_steps(tmp_path, capsys):
    search(configured("learning_by_teaching", tmp_path, "limit_batches=7"))
    lines = capsys.readouterr().out.splitlines()
    (told,) = (index for index, line in enumerate(lines) if line.startswith("forward passes"))
    assert lines[told] == (
        "forward passes in a step of learning_by_teaching: 9 by supernet, 9 by student (darts: 2)"
    )
    assert lines[told + 1].startswith("a step takes ")
    assert " for the steps of 2 epochs; peak memory " in lines[told + 1]
    assert "student " in lines[told + 2]


@pytest.fixture
def photos(tmp_path):
    """A folder of images of three classes."""
    draws = np.random.default_rng(0)
    for name in ("ash", "elm", "oak"):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(40):
            pixels = draws.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


def test_interleaved_learners_may_have_data_sets_of_their_own(photos, tmp_path, capsys):
    second = ("data@second_data=folder", f"second_data.root={photos}", "second_data.image_size=12")
    config = configured("interleaving", tmp_path / "runs", *second, "data.image_size=8")
    folder = search(config)
    state = torch.load(RunFolder(folder).checkpoint_of(1, 2), weights_only=True)["state_dict"]
    assert len(state["learner.model.classifier.weight"]) == 10
    assert len(state["levels.learners.learner_2.model.classifier.weight"]) == 3
    assert other_learners(rows(folder)[0]) == ["learner_2"]
    described = json.loads((folder / "metrics.json").read_text())["second_data"]
    assert described["classes"] == ["ash", "elm", "oak"]
    assert "an epoch ends with the images of the smaller" in capsys.readouterr().out
    # Other content of the second data set is another run.
    before = data_checksum(config)
    (photos / "oak" / "0.png").unlink()
    assert data_checksum(config) != before
