"""Searches in stages, end to end: P-DARTS and DrNAS."""

import csv
import json

import pytest
from composed import composed
from safetensors.torch import load_file

from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.search import search
from ltnas.space.genotype import load_genotype

pytestmark = pytest.mark.usefixtures("unrendered")
FILES = ("history.csv", "architecture.csv", "genotypes.json", "genotype.json", "stages.json")
SMALL = {
    "p_darts": (
        "progression.added_cells=[0,1]",
        "progression.operations=[8,3]",
        "cells=3",
        "progression.skip_dropout=[0.1,0.4]",
    ),
    "drnas": ("progression.partial_channels=[2,1]", "cells=3"),
}


def configured(scheme, runs, *arguments):
    sizes = ("space.nodes=2", "epochs=3", "batch_size=32", "channels=4", *SMALL[scheme])
    return composed("search", f"scheme={scheme}", *sizes, f"runs={runs}", *arguments)


@pytest.fixture(scope="module", params=SMALL)
def run(request, tmp_path_factory):
    """Scheme, and run folder of a search of two epochs and one."""
    return request.param, search(configured(request.param, tmp_path_factory.mktemp("runs")))


def rows(folder, name):
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_one_history_of_all_stages(run):
    _, folder = run
    history = rows(folder, "history.csv")
    assert [row["epoch"] for row in history] == ["0", "1", "2"]
    assert [row["stage"] for row in history] == ["1", "1", "2"]
    assert json.loads((folder / "metrics.json").read_text())["epochs"] == 3


def test_the_second_stage_has_the_strongest_operations_of_the_first(run):
    scheme, folder = run
    first, second = json.loads((folder / "stages.json").read_text())
    kept = 3 if scheme == "p_darts" else 4
    written = {"0": {}, "2": {}}
    weights = {}
    for row in rows(folder, "architecture.csv"):
        edge = (row["cell"], f"{row['source']} -> {row['node']}")
        if row["epoch"] in written:
            written[row["epoch"]].setdefault(edge, set()).add(row["operation"])
        if row["epoch"] == "1":
            weights.setdefault(edge, {})[row["operation"]] = float(row["weight"])
    for kind, named in second["operations"].items():
        for edge, text in named.items():
            operations = set(text.split())
            assert len(operations) == kept
            assert operations == written["2"][kind, edge]
            assert written["0"][kind, edge] == set(first["operations"][kind][edge].split())
            before = weights[kind, edge]
            lost = set(before) - operations
            # Of equal weights the first counts, so that a lost one may be as large.
            assert max(before[name] for name in lost) <= min(before[name] for name in operations)
    assert not first["dropped"]
    assert all(entry["strength"] >= 0 for entry in second["dropped"])


def test_the_genotype_is_of_the_last_stage(run):
    _, folder = run
    _, second = json.loads((folder / "stages.json").read_text())
    genotype, _ = load_genotype(str(folder))
    for kind in ("normal", "reduce"):
        for edge in genotype.cell(kind).edges:
            assert edge.operation in second["operations"][kind][f"{edge.source} -> {edge.node}"]


class Killed(Exception):
    """Stands for the end of the process: nothing but files is left."""


@pytest.mark.parametrize("epoch", [0, 1])
def test_resumed_in_or_between_stages_equals_never_stopped(run, tmp_path, monkeypatch, epoch):
    scheme, whole = run
    save = EpochCheckpoint.on_train_epoch_end

    def die(self, trainer, module):
        save(self, trainer, module)
        if module.epoch == epoch:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(EpochCheckpoint, "on_train_epoch_end", die)
        with pytest.raises(Killed):
            search(configured(scheme, tmp_path))
    (folder,) = tmp_path.glob("search-*")
    assert not (folder / "metrics.json").exists()
    assert search(configured(scheme, tmp_path, "resume=auto")) == folder
    for name in FILES:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    ours, theirs = (load_file(path / "architecture.safetensors") for path in (folder, whole))
    assert all(ours[name].equal(theirs[name]) for name in theirs)
