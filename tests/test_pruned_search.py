"""Searches in a space that zero-shot scores have pruned."""

import csv
import json

import pytest
from composed import composed

import ltnas.training.zero_shot
from ltnas.config import OPERATIONS
from ltnas.search import search
from ltnas.space.genotype import load_genotype

SMALL = (
    *("scheme=half_space", "space.nodes=1", "batch_size=16", "epochs=1"),
    *("progression.channels=2", "progression.images=8", "progression.repeats=2"),
)
SCORINGS = {
    "saliency": (),
    "marginal": ("progression.samples=3", "progression.proxy=parameters"),
    "leave_one_out": ("progression.proxy=parameters", "progression.granularity=operation"),
}


def configured(runs, scoring, *words):
    chosen = (*SMALL, f"progression.scoring={scoring}", *SCORINGS[scoring])
    return composed("search", *chosen, f"runs={runs}", *words)


def kept_of(folder):
    """Return the kept operations by cell, node and source."""
    found = {}
    for row in json.loads((folder / "pruning.json").read_text()):
        names = found.setdefault((row["cell"], row["node"], row["source"]), set())
        if row["kept"]:
            names.add(row["operation"])
    return found


@pytest.mark.parametrize("scoring", SCORINGS)
def test_the_supernet_has_the_kept_operations_and_no_others(scoring, tmp_path, no_pictures):
    folder = search(configured(tmp_path, scoring))
    kept = kept_of(folder)
    assert len(kept) == 4
    assert all(len(names) == 4 for names in kept.values())
    if scoring == "leave_one_out":  # the score is the number of parameters
        assert {frozenset(names) for names in kept.values()} >= {
            frozenset(name for name in OPERATIONS if "conv" in name)
        }
    with (folder / "architecture.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    searched = {}
    for row in rows:
        place = (row["cell"], int(row["node"]), int(row["source"]))
        searched.setdefault(place, set()).add(row["operation"])
    assert searched == kept
    genotype, _ = load_genotype(str(folder))
    for kind, cell in genotype.cells.items():
        assert all(edge.operation in kept[kind, edge.node, edge.source] for edge in cell.edges)


def test_a_resumed_run_reads_its_space_and_a_new_one_finds_the_same(
    tmp_path, no_pictures, monkeypatch
):
    folder = search(configured(tmp_path / "first", "saliency"))
    again = search(configured(tmp_path / "second", "saliency"))
    for name in ("pruning.json", "genotype.json", "architecture.csv"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    (folder / "metrics.json").unlink()
    wanted = (folder / "genotype.json").read_bytes()
    (folder / "genotype.json").unlink()

    def prune(*arguments):
        raise AssertionError("the space of a resumed run is in its folder")

    monkeypatch.setattr(ltnas.training.zero_shot, "prune", prune)
    assert search(configured(tmp_path / "first", "saliency", f"resume={folder}")) == folder
    assert (folder / "genotype.json").read_bytes() == wanted


def test_a_random_genotype_is_drawn_from_the_pruned_space(tmp_path, no_pictures):
    folder = search(configured(tmp_path, "saliency", "selection=random"))
    kept, (genotype, _) = kept_of(folder), load_genotype(str(folder))
    for kind, cell in genotype.cells.items():
        assert all(edge.operation in kept[kind, edge.node, edge.source] for edge in cell.edges)
