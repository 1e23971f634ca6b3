"""`python -m ltnas.search` end to end: what each scheme leaves in its run folder."""

import csv
import json
import math
import re
import shutil

import pytest
import torch
from composed import composed
from conftest import TINY
from omegaconf import OmegaConf
from safetensors.torch import load_file

import ltnas.search
from ltnas.config.axis import choices
from ltnas.data.long_tail import load_long_tail
from ltnas.search import search
from ltnas.space.drawing import random_genotype
from ltnas.space.genotype import load_genotype
from ltnas.space.layout import edges
from ltnas.training.search_parts import build_search

pytestmark = pytest.mark.usefixtures("unrendered")
TRAINED = ("darts", "darts_2nd", "darts_bbn", "fairdarts", "fairdarts_ssl", "mae_nas")
SCHEMES = (*TRAINED, "random")
SMALL = {
    "fairdarts_ssl": ("objective.hidden=8", "objective.outputs=6"),
    "mae_nas": ("objective.decoder_channels=8",),
}
NODES = 2

ALWAYS = {
    *("config.yaml", "provenance.json", "fingerprint.json", ".lock"),
    *("genotype.json", "metrics.json", "cells.svg", "cells.png"),
}
OF_A_TRAINING = {
    *("history.csv", "cost.csv", "curves.png", "checkpoint.ckpt", "genotypes.json"),
    *("architecture.csv", "architecture.png", "architecture.safetensors"),
}


TESTED = [
    f"{key}_{test_set}"
    for key in (
        *("accuracy", "macro_accuracy", "macro_f1", "calibration_error"),
        *("many", "medium", "few"),
    )
    for test_set in ("balanced", "long_tailed")
]
"""Columns of the history that tests fill."""


def configured(scheme, *arguments):
    small = SMALL.get(scheme, ())
    return composed(
        "search",
        *(f"scheme={scheme}", f"space.nodes={NODES}", "architecture.learning_rate=0.05"),
        *(*small, *arguments),
    )


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each scheme, made when it is first asked for."""
    root, made = tmp_path_factory.mktemp("runs"), {}

    def run(scheme):
        if scheme not in made:
            made[scheme] = search(configured(scheme, f"runs={root}"))
        return made[scheme]

    return run


def test_either_step_has_its_objective_with_the_counts_of_its_stream():
    axes = ("objective=class_balanced", "objective.start=0.5", "sampler=over")
    own = ("architecture_objective=balanced_softmax", "architecture_sampler=reversed")
    config = configured("darts", *axes, *own, "classifier=cosine")
    long_tail = load_long_tail(config.data, config.imbalance)
    module = build_search(config, "cpu", long_tail)
    weights, architecture = module.learner.objective, module.learner.architecture_objective
    # over-sampled classes are all alike; of reversed ones the last has the most
    torch.testing.assert_close(weights.weights, torch.ones(10))
    terms = architecture.criterion.terms
    halves = torch.tensor([count // 2 for count in long_tail.counts]).double()
    expected = torch.log(halves.reciprocal() / halves.reciprocal().sum()).float()
    torch.testing.assert_close(terms, expected)
    assert module.network.classifier.scale == 30.0
    weights.weights[0] = 3.0  # of classes that are all alike every weight is 1
    module.learner.set_progress(0.4)
    assert (weights.current_weights == 1).all()
    module.learner.set_progress(0.5)
    assert torch.equal(weights.current_weights, weights.weights)


def test_margins_are_those_of_the_images_of_a_half_and_not_of_its_sampler():
    """Margins fall with n^(1/4); over-sampled classes are shown equally often."""
    axes = ("objective=ldam", "classifier=cosine", "sampler=over")
    config = configured("darts", *axes)
    long_tail = load_long_tail(config.data, config.imbalance)
    margins = build_search(config, "cpu", long_tail).learner.objective.criterion.margins
    halves = torch.tensor([(count + 1) // 2 for count in long_tail.counts]).double()
    expected = 30.0 * 0.5 * (halves[-1] / halves) ** 0.25
    torch.testing.assert_close(margins, expected.float())


def test_a_search_with_other_axes_for_the_architecture(tmp_path, no_pictures):
    axes = ("architecture_objective=focal", "architecture_sampler=class_balanced", "epochs=1")
    folder = search(configured("darts", *axes, f"runs={tmp_path}"))
    (row,) = rows(folder / "history.csv")
    assert math.isfinite(float(row["architecture_loss"]))
    assert load_genotype(str(folder))


def test_the_architectures_rate_follows_its_schedule(tmp_path, no_pictures):
    folder = search(configured("darts", "schedule=freeze", f"runs={tmp_path}"))
    found = [float(row["architecture_rate"]) for row in rows(folder / "history.csv")]
    assert found == [0.05, 0.0]
    weights = {}
    for row in rows(folder / "architecture.csv"):
        weights.setdefault(row["epoch"], []).append(row["weight"])
    assert weights["0"] == weights["1"]  # a frozen architecture stays


def test_branches_that_are_heads_alone_in_a_second_order_search(tmp_path, no_pictures):
    arguments = ("gradient=second_order", "branches.depth=0", "branches.mixing=beta", "epochs=1")
    own = ("rebalancing_sampler=class_balanced", f"runs={tmp_path}")
    folder = search(configured("darts_bbn", *arguments, *own))
    (row,) = rows(folder / "history.csv")
    assert math.isfinite(float(row["architecture_loss"]))
    assert float(row["architecture_rate"]) == 0.05


def test_one_projector_serves_both_steps():
    module = build_search(configured("fairdarts_ssl"), "cpu", load_long_tail_of("fairdarts_ssl"))
    assert module.learner.architecture_objective is None


def load_long_tail_of(scheme):
    config = configured(scheme)
    return load_long_tail(config.data, config.imbalance)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_files_of_a_run(runs, scheme):
    folder = runs(scheme)
    wanted = ALWAYS if scheme == "random" else ALWAYS | OF_A_TRAINING
    assert {path.name for path in folder.iterdir()} == wanted
    assert re.fullmatch(rf"search-{scheme}-exp0\.1-s0-\d{{8}}-\d{{6}}-\d{{9}}", folder.name)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_genotype_is_one(runs, scheme):
    genotype, origin = load_genotype(str(runs(scheme)))
    assert {key: origin[key] for key in ("scheme", "imbalance", "seed")} == {
        "scheme": scheme,
        "imbalance": "exp0.1",
        "seed": 0,
    }
    for cell in (genotype.cell("normal"), genotype.cell("reduce")):
        assert [edge.node for edge in cell.edges] == [2, 2, 3, 3]
        assert cell.concat == (2, 3)
        assert all(edge.operation != "none" for edge in cell.edges)


@pytest.mark.parametrize("scheme", TRAINED)
def test_last_genotype_is_the_result(runs, scheme):
    found, result = read(runs(scheme), "genotypes.json"), read(runs(scheme), "genotype.json")
    assert [entry["epoch"] for entry in found] == [0, 1]
    assert {kind: found[-1][kind] for kind in ("normal", "reduce")} == {
        kind: result[kind] for kind in ("normal", "reduce")
    }


@pytest.mark.parametrize("scheme", TRAINED)
def test_weights_of_each_epoch_and_the_last_are_those_of_the_parameters(runs, scheme):
    found = rows(runs(scheme) / "architecture.csv")
    a_cell = len(edges(NODES)) * 8
    assert [row["epoch"] for row in found] == ["0"] * 2 * a_cell + ["1"] * 2 * a_cell
    parameters = load_file(runs(scheme) / "architecture.safetensors")
    assert set(parameters) == {"normal", "reduce"}
    for kind, alpha in parameters.items():
        last = [row for row in found if row["epoch"] == "1" and row["cell"] == kind]
        assert len(last) == a_cell
        mixing = alpha.sigmoid() if scheme.startswith("fairdarts") else alpha.softmax(1)
        written = torch.tensor([float(row["weight"]) for row in last]).view_as(mixing)
        assert written.equal(mixing)
        assert [(int(row["node"]), int(row["source"])) for row in last[::8]] == edges(NODES)
    first = {row["weight"] for row in found if row["epoch"] == "0"}
    assert first != {row["weight"] for row in found if row["epoch"] == "1"}


@pytest.mark.parametrize("scheme", TRAINED)
def test_history(runs, scheme):
    found = rows(runs(scheme) / "history.csv")
    assert list(found[0]) == [
        *("epoch", "learning_rate", "architecture_loss", "train_loss", "train_accuracy"),
        *TESTED,
        "architecture_rate",
        *("entropy_normal", "entropy_reduce", "skip_connections", "parametric_operations"),
        *("skip_share_normal", "discretisation_distance"),
    ]
    rates = [0.05, 0.05 * 0.75] if scheme == "darts_bbn" else [0.05, 0.05]
    assert [float(row["architecture_rate"]) for row in found] == pytest.approx(rates)
    assert [row["epoch"] for row in found] == ["0", "1"]
    # cosine from 0.025 to 0.001 over two epochs
    assert [float(row["learning_rate"]) for row in found] == pytest.approx([0.025, 0.013])
    for row in found:
        assert all(math.isfinite(float(value)) for value in row.values())
        for name in ("train_accuracy", "accuracy_balanced", "accuracy_long_tailed"):
            assert 0 <= float(row[name]) <= 1
        assert 0 < float(row["entropy_normal"]) <= math.log(8) + 1e-6
    cost = rows(runs(scheme) / "cost.csv")
    assert list(cost[0]) == ["epoch", "seconds", "peak_memory_gib"]
    assert [row["epoch"] for row in cost] == ["0", "1"]
    assert all(float(row["peak_memory_gib"]) > 0.05 for row in cost)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_metrics(runs, scheme):
    metrics, config = read(runs(scheme), "metrics.json"), configured(scheme)
    long_tail = load_long_tail(config.data, config.imbalance)
    assert (metrics["kind"], metrics["scheme"], metrics["seed"]) == ("search", scheme, 0)
    data = metrics["data"]
    assert data["subset_checksum"] == long_tail.checksum
    assert data["class_counts"] == long_tail.counts
    assert sum(data["class_counts"]) == len(long_tail.train_indices) == 580
    assert (data["source"], data["imbalance"], data["image_size"]) == ("digits", "exp0.1", 8)
    assert data["long_tailed_test_images"] == len(long_tail.test_indices) < data["test_images"]
    groups = data["groups"].values()
    assert sorted(label for group in groups for label in group) == list(range(10))
    genotype, _ = load_genotype(str(runs(scheme)))
    assert metrics["skip_connections"] == genotype.count("skip_connect")
    assert metrics["notes"] == []
    provenance = metrics["provenance"]
    assert provenance == read(runs(scheme), "provenance.json")
    assert re.fullmatch(r"[0-9a-f]{40}\+?|v\d.*", provenance["commit"])
    assert provenance["command"].startswith("python -m ")
    assert set(provenance["versions"]) == {"ltnas", "python", "torch", "lightning"}
    assert provenance["device"].endswith(", 1 threads")
    assert metrics["epochs"] == (0 if scheme == "random" else 2)


@pytest.mark.parametrize("scheme", TRAINED)
def test_metrics_of_a_training(runs, scheme):
    metrics, config = read(runs(scheme), "metrics.json"), configured(scheme)
    last = rows(runs(scheme) / "history.csv")[-1]
    assert metrics["supernet_accuracy"] == {
        name: float(last[name]) for name in ("accuracy_balanced", "accuracy_long_tailed")
    }
    long_tail = load_long_tail(config.data, config.imbalance)
    network = build_search(config, "cpu", long_tail).network
    architecture = sum(value.numel() for value in network.architecture_parameters().values())
    total = sum(parameter.numel() for parameter in network.parameters())
    assert metrics["supernet_parameters"] == total - architecture
    cost = rows(runs(scheme) / "cost.csv")
    assert metrics["seconds"] == round(sum(float(row["seconds"]) for row in cost), 1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_settings_are_written_down(runs, scheme):
    config = configured(scheme)
    written = OmegaConf.to_container(OmegaConf.load(runs(scheme) / "config.yaml"))
    assert written["axes"] == choices(config)
    assert written["scheme"] == scheme
    assert written["weights"]["learning_rate"] == 0.025
    assert written["space"]["nodes"] == NODES
    assert written["imbalance"] == {"kind": "exp", "factor": 0.1}
    assert (written["seed"], written["epochs"], written["precision"]) == (0, 2, "32")
    if scheme == "fairdarts_ssl":
        assert written["objective"]["off_diagonal_weight"] == 0.0051


DECIDED = ("history.csv", "architecture.csv", "genotypes.json", "architecture.safetensors")
"""What nothing but the configuration decides."""


@pytest.mark.parametrize("scheme", ["darts", "fairdarts_ssl"])
def test_same_seed_same_bytes_another_seed_others(runs, tmp_path, scheme, no_pictures):
    again = search(configured(scheme, f"runs={tmp_path}"))
    other = search(configured(scheme, f"runs={tmp_path}", "seed=1"))
    for name in DECIDED:
        assert (again / name).read_bytes() == (runs(scheme) / name).read_bytes(), name
    for name in ("history.csv", "architecture.safetensors"):
        assert (other / name).read_bytes() != (again / name).read_bytes(), name
    # the subset is one for all seeds, so that seeds can be compared
    checksums = {read(path, "metrics.json")["data"]["subset_checksum"] for path in (again, other)}
    assert len(checksums) == 1


LISTED = {
    "normal": (("noise", "skip_connect"), ("sep_conv_3x3",), *[("none", "noise")] * 3),
    "reduce": (("skip_connect",), ("noise", "sep_conv_3x3"), *[("max_pool_3x3", "noise")] * 3),
}
"""Operations of each edge of a cell with two nodes."""
WITH_LISTS = (
    "space.operations=[noise,none,max_pool_3x3,skip_connect,sep_conv_3x3]",
    *(
        f"space.{kind}_edges=[{','.join('[' + ','.join(names) + ']' for names in listed)}]"
        for kind, listed in LISTED.items()
    ),
)


def has_only_listed_operations(folder):
    genotype, _ = load_genotype(str(folder))
    rows_of = {edge: row for row, edge in enumerate(edges(NODES))}
    return all(
        edge.operation in LISTED[kind][rows_of[edge.node, edge.source]]
        for kind in LISTED
        for edge in genotype.cell(kind).edges
    )


def test_a_space_with_noise_and_operations_of_each_edge(tmp_path, no_pictures):
    words = (*WITH_LISTS, "collapse.hessian_every=1")
    first, again = (
        search(configured("fairdarts", *words, f"runs={tmp_path}/{name}")) for name in "ab"
    )
    for name in DECIDED:  # noise is drawn by the seed
        assert (first / name).read_bytes() == (again / name).read_bytes(), name
    found = {}
    for row in rows(first / "architecture.csv"):
        edge = (row["cell"], int(row["node"]), int(row["source"]))
        found.setdefault((row["epoch"], *edge), []).append(row["operation"])
    order = ("noise", "none", "max_pool_3x3", "skip_connect", "sep_conv_3x3")
    assert found == {
        (epoch, kind, node, source): sorted(names, key=order.index)
        for epoch in "01"
        for kind, listed in LISTED.items()
        for (node, source), names in zip(edges(NODES), listed, strict=True)
    }
    assert has_only_listed_operations(first)
    (_, last) = rows(first / "history.csv")
    assert 0 <= float(last["entropy_normal"]) <= math.log(2)
    assert math.isfinite(float(last["largest_eigenvalue"]))
    written = OmegaConf.load(first / "config.yaml").space
    assert written.reduce_edges == [list(names) for names in LISTED["reduce"]]


def test_a_random_genotype_has_the_operations_of_its_edges(tmp_path, no_pictures):
    folders = [
        search(configured("random", *WITH_LISTS, f"runs={tmp_path}", f"seed={seed}"))
        for seed in range(4)
    ]
    assert all(map(has_only_listed_operations, folders))


def test_random_is_drawn_from_the_seed_without_training(runs, tmp_path, monkeypatch, no_pictures):
    def train(*arguments):
        raise AssertionError("a random genotype needs no supernet")

    monkeypatch.setattr(ltnas.search, "_train_supernet", train)
    again, other = (
        search(configured("random", f"runs={tmp_path}", f"seed={seed}")) for seed in (0, 1)
    )
    first, second = (load_genotype(str(path))[0] for path in (again, other))
    assert first == load_genotype(str(runs("random")))[0]
    assert first == random_genotype(configured("random").space.operations, NODES, 0)
    assert first != second


def test_run_that_dies_after_its_last_epoch_is_completed(runs, tmp_path):
    # All epochs are in the checkpoint, and metrics.json is not there yet.
    folder = tmp_path / runs("darts").name
    shutil.copytree(runs("darts"), folder)
    wanted = read(folder, "metrics.json")
    for name in ("metrics.json", "genotype.json", "cells.svg"):
        (folder / name).unlink()
    assert search(configured("darts", f"runs={tmp_path}", "resume=auto")) == folder
    assert read(folder, "metrics.json") == wanted
    assert read(folder, "genotype.json") == read(runs("darts"), "genotype.json")
    assert (folder / "history.csv").read_bytes() == (runs("darts") / "history.csv").read_bytes()


def test_empty_cell_is_told_of(tmp_path, capsys, no_pictures):
    folder = search(
        configured("fairdarts", "selection=threshold_sparse", "epochs=1", f"runs={tmp_path}")
    )
    notes = read(folder, "metrics.json")["notes"]
    assert len(notes) == 2  # no gate is open as far as 0.85 after one epoch
    assert "normal cell" in notes[0]
    assert "note: no operation of the normal cell" in capsys.readouterr().out


def test_program_prints_its_run_folder_last(ltnas, tmp_path):
    arguments = [*TINY, "scheme=darts", "space.nodes=1", "seed=3", "data.image_size=8"]
    done = ltnas("search", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    (folder,) = (tmp_path / "runs").iterdir()
    assert lines[-1] == f"runs/{folder.name}"
    assert [line for line in lines if line.startswith("darts ")][-1].startswith("darts 2/2  loss ")
    assert "digits exp0.1: 580 training images" in lines[0]
    metrics = read(folder, "metrics.json")
    assert metrics["seed"] == 3
    assert metrics["provenance"]["command"] == " ".join(["python -m ltnas.search", *arguments])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_checkpointed_cells_change_no_number(tmp_path):
    kept, again = (
        search(
            configured("fairdarts", *TINY, f"runs={tmp_path}/{name}", f"checkpoint_cells={name}")
        )
        for name in ("false", "true")
    )
    for name in ("history.csv", "architecture.csv"):
        assert (kept / name).read_bytes() == (again / name).read_bytes()
