"""Searches of broad networks and trainings of their genotypes (B-DARTS), end to end."""

import csv
import json

import pytest
import torch
from composed import composed, refusal
from safetensors.torch import load_file

from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.models.broad_network import BroadNetwork
from ltnas.models.saved import load_network
from ltnas.pipeline import check_sizes
from ltnas.plots.cells import draw
from ltnas.reports.paper import operations
from ltnas.reports.runs import Run
from ltnas.retrain import retrain
from ltnas.search import search
from ltnas.space.genotype import load_genotype

FILES = ("history.csv", "architecture.csv", "genotypes.json", "genotype.json", "cells.svg")
SMALL = ("cells=2", "space.nodes=1", "batch_size=8", "collapse.hessian_every=1")


def configured(scheme, runs, *arguments):
    return composed("search", f"scheme={scheme}", *SMALL, f"runs={runs}", *arguments)


@pytest.fixture(scope="module", params=["b_darts", "b_pc_darts"])
def run(request, tmp_path_factory):
    """Scheme, and run folder of a search of two epochs."""
    return request.param, search(configured(request.param, tmp_path_factory.mktemp("runs")))


class Killed(Exception):
    """Stands for the end of the process: nothing but files is left."""


def test_resumed_equals_never_stopped(run, tmp_path, monkeypatch):
    scheme, whole = run
    save = EpochCheckpoint.on_train_epoch_end

    def die(self, trainer, module):
        save(self, trainer, module)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(EpochCheckpoint, "on_train_epoch_end", die)
        with pytest.raises(Killed):
            search(configured(scheme, tmp_path))
    folder = search(configured(scheme, tmp_path, "resume=auto"))
    assert [folder] == list(tmp_path.iterdir())
    for name in FILES:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    ours, theirs = (load_file(path / "architecture.safetensors") for path in (folder, whole))
    assert all(ours[name].equal(theirs[name]) for name in theirs)


def test_the_files_of_a_search_name_both_kinds_of_cell(run):
    scheme, folder = run
    with (folder / "architecture.csv").open(newline="") as file:
        assert {row["cell"] for row in csv.DictReader(file)} == {"normal", "enhancement"}
    with (folder / "history.csv").open(newline="") as file:
        assert {"entropy_normal", "entropy_enhancement"} <= set(next(csv.DictReader(file)))
    content = json.loads((folder / "genotype.json").read_text())
    assert content["macro"] == "broad"
    kinds = {"normal", "enhancement"}
    named = kinds | ({f"edges_{kind}" for kind in kinds} if scheme == "b_pc_darts" else set())
    assert set(load_file(folder / "architecture.safetensors")) == named


def test_the_picture_of_the_cells_has_both_kinds(run):
    figure = draw(load_genotype(str(run[1]))[0])
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["normal cell", "enhancement cell"]


def test_the_paper_of_stacked_cells_does_not_count_broad_ones(run):
    assert operations(Run(run[1], "finished", {}, {})) == []


def test_the_rate_of_b_darts_grows(tmp_path):
    folder = search(configured("b_darts", tmp_path, "epochs=3", "limit_batches=1"))
    with (folder / "history.csv").open(newline="") as file:
        rates = [float(row["architecture_rate"]) for row in csv.DictReader(file)]
    assert rates == pytest.approx([3e-4 / 9, 3e-4 * 4 / 9, 3e-4])


def test_a_genotype_drawn_at_random_has_the_kinds_of_the_macro_network(tmp_path):
    words = ("scheme=random", "macro=broad", "space.nodes=2", f"runs={tmp_path}")
    genotype, _ = load_genotype(str(search(composed("search", *words))))
    assert genotype.macro == "broad"
    assert set(genotype.cells) == {"normal", "enhancement"}


@pytest.mark.parametrize("words", [(), ("auxiliary=0.4", "data.image_size=32", "epochs=1")])
def test_what_was_found_is_trained_and_can_be_loaded(run, tmp_path, words):
    sizes = ("cells=3", "enhancement_cells=2", "auxiliary=0", "cutout=0", "channels=4")
    config = composed("retrain", f"genotype={run[1]}", *sizes, f"runs={tmp_path}", *words)
    folder = retrain(config)
    network = load_network(folder)
    assert isinstance(network, BroadNetwork)
    assert len(network.cells) == 3 + 2
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["scheme"] == run[0]
    assert (metrics["auxiliary_parameters"] > 0) is bool(words)
    assert network(torch.randn(2, 3, 32, 32)).isfinite().all()


def test_a_training_without_enough_cells_is_refused_before_the_search():
    searching = configured("b_darts", "runs")
    training = composed("retrain", "genotype=bnasv2_clr_v1", "cells=1", "auxiliary=0")
    with pytest.raises(Exception, match="cells=1 in a broad network"):
        check_sizes(searching, training)


def test_what_a_broad_network_cannot_be_is_said_in_one_line():
    assert "take cells=2 or more" in refusal("search", "scheme=b_darts", "cells=1")
    message = refusal("search", "macro=broad", "space=s1")
    assert message.startswith("space.reduce_edges with macro=broad")
