"""`python -m ltnas.retrain` end to end: from a genotype to a trained network on disk."""

import csv
import json
import math
import shutil

import pytest
import torch
from composed import composed, settings
from rich.console import Console
from safetensors.torch import load_file, save_file

import ltnas
from ltnas.data.long_tail import load_long_tail
from ltnas.errors import UserError
from ltnas.models.cost import multiply_accumulates, parameter_counts
from ltnas.models.resnet import ResNet
from ltnas.objectives.barlow_twins import BarlowTwins
from ltnas.reports.model_card import model_card
from ltnas.retrain import _prior, _Training, build_network, retrain
from ltnas.runs.folder import RunFolder
from ltnas.search import search
from ltnas.space.genotype import load_genotype
from ltnas.training.retrain_module import RetrainModule
from ltnas.training.stages import stages

pytestmark = pytest.mark.usefixtures("unrendered")
FILES = {
    *("config.yaml", "provenance.json", "fingerprint.json", ".lock", "checkpoint.ckpt"),
    *("history.csv", "cost.csv", "curves.png", "genotype.json", "cells.svg", "cells.png"),
    *("network.safetensors", "network.json", "metrics.json", "model_card.md"),
}
NO_AUXILIARY = "auxiliary=0"  # 8 x 8 images are too small for it
PRETRAINED = (
    *("pretrain=barlow_twins", "pretrain_epochs=1", "cutout=8", "data.image_size=32"),
    *("barlow_twins.hidden=8", "barlow_twins.outputs=6", "auxiliary=0.4", "drop_path=0.3"),
)


TWO_STAGES = (
    *("mix=mixup_or_cutmix", "augmentation=rand_augment", "sharpness=0.05", "averaging=0.5"),
    *("crt.epochs=1", "crt_objective=label_aware_smoothing", "limit_batches=3", "cutout=2"),
)
SCALED = (
    *("network=resnet20", "network.depth=8", "network.width=4", "crt.epochs=3"),
    *("crt.fresh=false", "crt.scaling_rate=0.5", "crt.weights.warmup_epochs=2", "epochs=1"),
)


TESTED = [
    f"{key}_{test_set}"
    for key in (
        *("accuracy", "macro_accuracy", "macro_f1", "calibration_error"),
        *("many", "medium", "few"),
    )
    for test_set in ("balanced", "long_tailed")
]
"""Columns of the history that tests fill."""


def last_stage(folder):
    """Where the history is that the result ends."""
    return folder / "crt" if (folder / "crt").exists() else folder


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def retrained(root, *arguments):
    """Configuration and run folder."""
    config = composed("retrain", f"runs={root}", *arguments)
    return config, retrain(config)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A run folder of a search."""
    runs = tmp_path_factory.mktemp("searched")
    return search(composed("search", "scheme=random", "space.nodes=2", f"runs={runs}"))


@pytest.fixture(scope="module")
def from_folder(tmp_path_factory, searched):
    """Three whole epochs, enough for a network that is better than chance."""
    root = tmp_path_factory.mktemp("retrained")
    whole = ("limit_batches=null", "epochs=3", "cutout=2")
    return retrained(root, f"genotype={searched}", NO_AUXILIARY, *whole)


@pytest.fixture(scope="module")
def from_file(tmp_path_factory, searched):
    """First without labels, then with an auxiliary classifier."""
    root = tmp_path_factory.mktemp("pretrained")
    return retrained(root, f"genotype={searched}/genotype.json", *PRETRAINED)


@pytest.fixture(scope="module")
def from_name(tmp_path_factory):
    """A published genotype."""
    root = tmp_path_factory.mktemp("published")
    return retrained(root, "genotype=DARTS_V1", NO_AUXILIARY, "epochs=1", "limit_batches=1")


@pytest.fixture(scope="module")
def with_margins(tmp_path_factory, searched):
    """Cosines, margins, class weights in the last epoch, and a sampler."""
    root = tmp_path_factory.mktemp("margins")
    axes = ("objective=ldam_drw", "objective.start=0.5", "classifier=cosine", "sampler=reversed")
    return retrained(root, f"genotype={searched}", NO_AUXILIARY, *axes)


@pytest.fixture(scope="module")
def adjusted(tmp_path_factory, searched):
    """As `from_folder`, and adjusted after it."""
    root = tmp_path_factory.mktemp("adjusted")
    whole = ("limit_batches=null", "epochs=3", "cutout=2")
    return retrained(root, f"genotype={searched}", NO_AUXILIARY, "adjust=1.0", *whole)


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    """A residual network with two branches."""
    root = tmp_path_factory.mktemp("residual")
    return retrained(root, "network=resnet20", "network.depth=8", "network.width=4", "branches=two")


@pytest.fixture(scope="module")
def in_two_stages(tmp_path_factory, searched):
    """Everything that a recipe may have, then the classifier alone."""
    root = tmp_path_factory.mktemp("stages")
    return retrained(root, f"genotype={searched}", NO_AUXILIARY, *TWO_STAGES)


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    """A second stage in which factors of the classes learn, too."""
    return retrained(tmp_path_factory.mktemp("scaled"), *SCALED)


@pytest.fixture(scope="module")
def consistent(tmp_path_factory):
    """Two mixed views that are compared."""
    root = tmp_path_factory.mktemp("consistent")
    mixture = ("objective=mixture_consistency", "mix=mixup_and_cutmix", "objective.width=8")
    return retrained(root, "network=resnet20", "network.depth=8", "network.width=4", *mixture)


ORIGINS = {
    "from_folder": ("random", FILES),
    "from_file": ("random", FILES | {"pretrain"}),
    "from_name": ("darts_v1", FILES),
    "with_margins": ("random", FILES),
    "adjusted": ("random", FILES),
    "in_two_stages": ("random", FILES | {"crt"}),
    "scaled": ("resnet8", (FILES | {"crt"}) - {"genotype.json", "cells.svg", "cells.png"}),
    "consistent": ("resnet8", FILES - {"genotype.json", "cells.svg", "cells.png"}),
    "residual": ("resnet8", FILES - {"genotype.json", "cells.svg", "cells.png"}),
}


@pytest.fixture(params=ORIGINS)
def run(request):
    """Each of the three in turn: its name, configuration and folder."""
    return request.param, *request.getfixturevalue(request.param)


# --- what a run leaves --------------------------------------------------------------------------


def test_files_of_a_run(run, searched):
    name, _, folder = run
    scheme, files = ORIGINS[name]
    assert {path.name for path in folder.iterdir()} == files
    assert folder.name.startswith(f"retrain-{scheme}-exp0.1-s0-")
    if scheme == "resnet8":
        return
    where = "darts_v1" if name == "from_name" else str(searched)
    assert load_genotype(str(folder))[0] == load_genotype(where)[0]
    assert read(folder, "genotype.json")["scheme"] == scheme


def test_history(run):
    _, config, folder = run
    found = rows(folder / "history.csv")
    assert list(found[0]) == [
        *("epoch", "learning_rate", "train_loss", "train_accuracy"),
        *TESTED,
    ]
    assert [int(row["epoch"]) for row in found] == list(range(config.epochs))
    rates = [0.025 * (1 + math.cos(math.pi * e / config.epochs)) / 2 for e in range(config.epochs)]
    assert [float(row["learning_rate"]) for row in found] == pytest.approx(rates)
    assert all(math.isfinite(float(value)) for row in found for value in row.values())


def test_metrics(run):
    name, config, folder = run
    metrics, long_tail = read(folder, "metrics.json"), load_long_tail(config.data, config.imbalance)
    assert metrics["kind"] == "retrain"
    assert (metrics["scheme"], metrics["imbalance"]) == (ORIGINS[name][0], "exp0.1")
    assert (metrics["seed"], metrics["epochs"]) == (0, config.epochs)
    assert metrics["pretrain_epochs"] == (name == "from_file")
    assert metrics["crt_epochs"] == {"in_two_stages": 1, "scaled": 3}.get(name, 0)
    assert metrics["data"]["subset_checksum"] == long_tail.checksum
    assert metrics["data"]["checksum"] == long_tail.content_checksum
    checksums = read(folder, "fingerprint.json")["checksums"]
    assert checksums["data.root"] == long_tail.content_checksum
    assert metrics["data"]["class_counts"] == long_tail.counts
    assert set(metrics["provenance"]) == {"command", "commit", "versions", "device", "threads"}
    assert metrics["provenance"]["threads"] == 1
    cost = [row for path in sorted(folder.rglob("cost.csv")) for row in rows(path)]
    assert len(cost) == config.epochs + config.pretrain_epochs + config.crt.epochs
    assert metrics["seconds"] == pytest.approx(sum(float(row["seconds"]) for row in cost), abs=0.2)
    last = rows(last_stage(folder) / "history.csv")[-1]
    assert set(metrics["test"]) == {"balanced", "long_tailed"}
    for test_set, report in metrics["test"].items():
        for column in TESTED:
            if column.endswith(f"_{test_set}"):
                assert float(last[column]) == report[column.removesuffix(f"_{test_set}")]


def test_reports_agree_with_their_confusion_matrices(run):
    _, config, folder = run
    metrics, long_tail = read(folder, "metrics.json"), load_long_tail(config.data, config.imbalance)
    sizes = {"balanced": len(long_tail.test.labels), "long_tailed": len(long_tail.test_indices)}
    for test_set, report in metrics["test"].items():
        confusion = torch.tensor(report["confusion"])
        assert confusion.shape == (10, 10)
        assert int(confusion.sum()) == report["images"] == sizes[test_set]
        assert report["accuracy"] == float(confusion.trace()) / sizes[test_set]
        per_class = confusion.diagonal().double() / confusion.sum(1)
        assert list(report["per_class"]) == list(long_tail.classes)
        assert list(report["per_class"].values()) == per_class.tolist()
        scores = 2 * confusion.diagonal() / (confusion.sum(0) + confusion.sum(1))
        assert report["macro_f1"] == pytest.approx(float(scores.double().mean()))
        assert 0 <= report["calibration_error"] <= 1
        assert report["macro_accuracy"] == pytest.approx(float(per_class.mean()))
        for group in ("many", "medium", "few"):
            members = metrics["data"]["groups"][group]
            assert report[group] == pytest.approx(float(per_class[members].mean()))


def test_the_model_card_is_that_of_the_metrics(run):
    _, _, folder = run
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    assert card == model_card(read(folder, "metrics.json"))


def test_cost_is_that_of_the_network(run):
    name, config, folder = run
    metrics, network = read(folder, "metrics.json"), ltnas.load_network(folder)
    counts = parameter_counts(network)
    assert {key: metrics[key] for key in counts} == counts
    assert (metrics["auxiliary_parameters"] > 0) is (name == "from_file")
    tensors = load_file(folder / "network.safetensors")
    buffers = {key for key, _ in network.named_buffers()}
    stored = sum(value.numel() for key, value in tensors.items() if key not in buffers)
    assert stored == metrics["parameters"] + metrics["auxiliary_parameters"]
    size = load_long_tail(config.data, config.imbalance).image_size
    assert metrics["multiply_accumulates"] == multiply_accumulates(network, size) > 10_000


def test_adjustment_is_in_the_bias_and_in_nothing_else(from_folder, adjusted):
    (config, plain), (_, moved) = from_folder, adjusted
    before, after = (load_file(folder / "network.safetensors") for folder in (plain, moved))
    counts = torch.tensor(load_long_tail(config.data, config.imbalance).counts)
    shift = torch.log(counts / counts.sum())
    torch.testing.assert_close(after.pop("classifier.bias"), before.pop("classifier.bias") - shift)
    assert all(torch.equal(after[name], before[name]) for name in before)
    # What its probabilities assume: the frequencies of the training before, equal ones after.
    prior = torch.tensor([ltnas.load_network(folder).prior for folder in (plain, moved)])
    torch.testing.assert_close(prior[0], counts / counts.sum())
    torch.testing.assert_close(prior[1], torch.full((10,), 0.1))
    predicted = [
        torch.tensor(read(folder, "metrics.json")["test"]["balanced"]["confusion"]).sum(0)
        for folder in (plain, moved)
    ]
    assert predicted[1][-3:].sum() > predicted[0][-3:].sum()  # of the smallest classes


def test_a_cosine_classifier_comes_back(with_margins):
    _, folder = with_margins
    assert read(folder, "network.json")["classifier"] == {"kind": "cosine", "scale": 30.0}
    classifier = ltnas.load_network(folder).classifier
    assert classifier.scale == 30.0
    assert classifier(torch.randn(5, classifier.weight.shape[1])).abs().max() <= 30


def test_a_residual_network_comes_back_with_its_branches(residual):
    _, folder = residual
    network = ltnas.load_network(folder)
    assert isinstance(network, ResNet)
    assert (network.branch_depth, network.feature_size) == (1, 2 * 16)
    assert len(network.blocks) == 3


def test_loaded_network_has_the_accuracy_that_was_written(run):
    name, config, folder = run
    network, metrics = ltnas.load_network(folder), read(folder, "metrics.json")
    long_tail = load_long_tail(config.data, config.imbalance)
    preprocessing = network.preprocessing
    mean, std = (torch.tensor(preprocessing[key]).view(3, 1, 1) for key in ("mean", "std"))
    images = (long_tail.test.images.float() / 255 - mean) / std
    assert images.shape[-1] == preprocessing["image_size"]
    assert preprocessing["classes"] == list(long_tail.classes)
    assert not network.training
    with torch.no_grad():
        hits = network(images).argmax(1) == long_tail.test.labels
    part = hits[torch.from_numpy(long_tail.test_indices)]
    assert float(hits.double().mean()) == metrics["test"]["balanced"]["accuracy"]
    assert float(part.double().mean()) == metrics["test"]["long_tailed"]["accuracy"]
    if name == "from_folder":  # trained long enough to have learnt something
        assert len(set(network(images).argmax(1).tolist())) > 2
        assert float(hits.double().mean()) > 0.15


def test_result_is_printed(tmp_path, searched, capsys):
    _, folder = retrained(tmp_path, f"genotype={searched}", NO_AUXILIARY, "epochs=1")
    printed, metrics = capsys.readouterr().out, read(folder, "metrics.json")
    accuracy = f"{100 * metrics['test']['balanced']['accuracy']:.2f}"
    (line,) = (line for line in printed.splitlines() if line.startswith("all "))
    assert line.split()[:3] == ["all", "580", accuracy]
    assert f"{metrics['parameters']:,} parameters" in printed


# --- training without labels first --------------------------------------------------------------


def test_training_without_labels_comes_first(from_file):
    _, folder = from_file
    (row,) = rows(folder / "pretrain" / "history.csv")
    assert float(row["train_loss"]) > 2.4  # no cross-entropy: that is log 10 at the start
    assert {path.name for path in (folder / "pretrain").iterdir()} == {
        *("history.csv", "cost.csv", "curves.png", "checkpoint.ckpt"),
    }
    before = torch.load(folder / "pretrain" / "checkpoint.ckpt", weights_only=True)["state_dict"]
    projector = [name for name in before if name.startswith("learner.objective.")]
    assert projector
    after = torch.load(folder / "checkpoint.ckpt", weights_only=True)["state_dict"]
    assert set(before) - set(projector) == set(after)


def test_training_without_labels_changes_what_comes_after(tmp_path, from_file, searched):
    alone = [argument for argument in PRETRAINED if not argument.startswith("pretrain")]
    _, folder = retrained(tmp_path, f"genotype={searched}/genotype.json", *alone)
    _, pretrained = from_file
    name = "history.csv"
    assert (folder / name).read_bytes() != (pretrained / name).read_bytes()


def test_same_seed_same_network_another_seed_another(tmp_path, searched, from_file):
    arguments = (f"genotype={searched}/genotype.json", *PRETRAINED)
    _, again = retrained(tmp_path, *arguments)
    _, other = retrained(tmp_path, *arguments, "seed=1")
    for name in ("history.csv", "pretrain/history.csv", "network.safetensors"):
        assert (again / name).read_bytes() == (from_file[1] / name).read_bytes(), name
        assert (other / name).read_bytes() != (again / name).read_bytes(), name


# --- a second stage -----------------------------------------------------------------------------


def weights_of(path):
    """The network in a checkpoint: that which learns, and its average."""
    state = torch.load(path, weights_only=True)["state_dict"]
    parts = ("learner.model.", "average.module.")
    return [
        {key.removeprefix(part): value for key, value in state.items() if key.startswith(part)}
        for part in parts
    ]


def test_a_second_stage_trains_the_classifier_of_the_average_and_nothing_else(in_two_stages):
    _, folder = in_two_stages
    learned, average = weights_of(folder / "checkpoint.ckpt")
    assert set(learned) == set(average)
    result = load_file(folder / "network.safetensors")
    for name, value in result.items():
        assert torch.equal(value, average[name]) is not name.startswith("classifier."), name
    assert any(not torch.equal(learned[name], average[name]) for name in learned)


def test_the_second_pass_of_a_sharpness_aware_step_moves_no_statistics(in_two_stages):
    config, folder = in_two_stages
    learned, _ = weights_of(folder / "checkpoint.ckpt")
    assert learned["stem.1.num_batches_tracked"] == 3 * config.epochs


def test_a_second_stage_has_its_rate_and_its_stream(in_two_stages):
    _, folder = in_two_stages
    (row,) = rows(folder / "crt" / "history.csv")
    assert float(row["learning_rate"]) == pytest.approx(0.1)  # that of Zhang et al. 2021
    checkpoint = torch.load(folder / "crt" / "checkpoint.ckpt", weights_only=True)
    assert len(checkpoint["optimizer_states"][0]["state"]) == 2  # weight and bias


def test_smoothing_of_a_balanced_second_stage_depends_on_the_training_images(tmp_path):
    """The sampler shows each class equally often, and MiSLAS smooths labels of large classes."""
    small = ("network=resnet20", "network.depth=8", "network.width=4", "data=digits")
    config = settings("retrain", "recipe=mislas", "imbalance=exp0.1", *small)
    long_tail = load_long_tail(config.data, config.imbalance)
    network = build_network(config, None, long_tail)
    training = _Training(config, "cpu", network, long_tail=long_tail, console=Console())
    _, second = stages(config, RunFolder(tmp_path, writes=False))
    smoothing = training._module(second).learner.objective.criterion.smoothing
    n = torch.tensor(long_tail.counts).double()
    reach = (n - n.min()) / (n.max() - n.min())
    torch.testing.assert_close(smoothing, (0.1 * torch.sin(torch.pi / 2 * reach)).float())
    assert smoothing[0] == pytest.approx(0.1)


@pytest.mark.parametrize(("epochs", "balanced"), [(4, False), (5, True)])
def test_the_prior_counts_class_weights_that_have_begun(tmp_path, epochs, balanced):
    """The last of 4 epochs begins at 3/4 of the training, and that of 5 epochs at 4/5."""
    late = ("objective=inverse_frequency", "objective.start=0.8", f"epochs={epochs}")
    config = settings("retrain", "network=resnet20", "data=digits", "imbalance=exp0.1", *late)
    long_tail = load_long_tail(config.data, config.imbalance)
    (stage,) = stages(config, RunFolder(tmp_path, writes=False))
    n = torch.tensor(long_tail.counts).double()
    expected = torch.full_like(n, 1 / len(n)) if balanced else n / n.sum()
    assert _prior(stage, long_tail) == pytest.approx(expected.tolist())


def test_a_second_stage_may_keep_the_classifier_it_finds(tmp_path, searched):
    kept = ("crt.fresh=false", "crt.weights.learning_rate=1.0e-12", "averaging=0.0")
    _, folder = retrained(tmp_path, f"genotype={searched}", NO_AUXILIARY, *TWO_STAGES, *kept)
    learned, _ = weights_of(folder / "checkpoint.ckpt")
    result = load_file(folder / "network.safetensors")
    for name, value in result.items():
        torch.testing.assert_close(value, learned[name], msg=name)


def test_two_stages_go_on_to_the_same_bits(tmp_path, in_two_stages):
    config, folder = in_two_stages
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "crt")  # killed between the stages
    for name in ("metrics.json", "network.safetensors"):
        (copy / name).unlink()
    arguments = (f"genotype={config.genotype}", NO_AUXILIARY, *TWO_STAGES, "resume=auto")
    assert retrained(tmp_path, *arguments)[1] == copy
    for name in ("history.csv", "crt/history.csv", "network.safetensors"):
        assert (copy / name).read_bytes() == (folder / name).read_bytes(), name


def test_factors_have_a_rate_of_their_own_and_are_folded_into_the_classifier(scaled):
    _, folder = scaled
    learned, _ = weights_of(folder / "crt" / "checkpoint.ckpt")
    before, _ = weights_of(folder / "checkpoint.ckpt")
    factors = learned["classifier.factors"]
    assert (factors - 1).abs().max() > 0.01
    result = load_file(folder / "network.safetensors")
    assert set(result) == set(before)
    weight = factors[:, None] * learned["classifier.linear.weight"]
    assert torch.equal(result["classifier.weight"], weight)
    assert torch.equal(result["classifier.bias"], factors * learned["classifier.linear.bias"])
    assert not torch.equal(learned["classifier.linear.weight"], before["classifier.weight"])
    for name in set(before) - {"classifier.weight", "classifier.bias"}:
        assert torch.equal(result[name], before[name]), name
    checkpoint = torch.load(folder / "crt" / "checkpoint.ckpt", weights_only=True)
    groups = checkpoint["optimizer_states"][0]["param_groups"]
    # A quarter of 0.1 in the last of three epochs of a cosine; factors have five times that.
    assert [group["lr"] for group in groups] == pytest.approx([0.025, 0.125])


def test_a_second_stage_goes_on_in_its_middle_to_the_same_bits(tmp_path, scaled, monkeypatch):
    _, folder = scaled
    step, taken = RetrainModule.training_step, []

    def killed(self, batches, index):
        taken.append(self.trains_trunk)
        if taken.count(False) == 4:  # in the second of three epochs of two steps
            raise RuntimeError("killed")
        return step(self, batches, index)

    monkeypatch.setattr(RetrainModule, "training_step", killed)
    with pytest.raises(RuntimeError, match="killed"):
        retrained(tmp_path, *SCALED)
    monkeypatch.setattr(RetrainModule, "training_step", step)
    (begun,) = tmp_path.iterdir()
    assert retrained(tmp_path, *SCALED, "resume=auto")[1] == begun
    for name in ("history.csv", "crt/history.csv", "network.safetensors"):
        assert (begun / name).read_bytes() == (folder / name).read_bytes(), name


# --- going on -----------------------------------------------------------------------------------


@pytest.fixture
def interrupted(tmp_path, from_file):
    """A copy of a run to take files away from, and how to go on with it."""
    config, folder = from_file
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)

    def go_on():
        return retrained(tmp_path, f"genotype={config.genotype}", *PRETRAINED, "resume=auto")[1]

    return folder, copy, go_on


@pytest.fixture
def steps(monkeypatch):
    """The objective of every training step that is taken."""
    taken, step = [], RetrainModule.training_step

    def noted(self, batches, index):
        taken.append(type(self.learner.objective))
        return step(self, batches, index)

    monkeypatch.setattr(RetrainModule, "training_step", noted)
    return taken


RESULT = ("history.csv", "pretrain/history.csv", "network.safetensors", "genotype.json")


def test_stage_that_is_done_is_not_repeated(interrupted, steps):
    folder, copy, go_on = interrupted
    for path in copy.iterdir():  # as after a kill between the stages
        if path.name not in ("pretrain", "fingerprint.json", "provenance.json", "config.yaml"):
            path.unlink()
    assert go_on() == copy
    assert len(steps) == 4
    assert BarlowTwins not in steps
    for name in RESULT:
        assert (copy / name).read_bytes() == (folder / name).read_bytes(), name
    ours, theirs = read(copy, "metrics.json"), read(folder, "metrics.json")
    assert ours["test"] == theirs["test"]


def test_stage_that_is_not_done_is_repeated(interrupted, steps):
    folder, copy, go_on = interrupted
    for path in copy.rglob("*"):
        if path.is_file() and path.name != "fingerprint.json":
            path.unlink()
    assert go_on() == copy
    assert steps[:2] == [BarlowTwins, BarlowTwins]
    assert len(steps) == 6
    for name in RESULT:
        assert (copy / name).read_bytes() == (folder / name).read_bytes(), name


def test_run_that_dies_after_its_last_epoch_is_completed(interrupted, steps):
    folder, copy, go_on = interrupted
    for name in ("metrics.json", "network.json", "network.safetensors", "genotype.json"):
        (copy / name).unlink()
    assert go_on() == copy
    assert steps == []
    assert read(copy, "metrics.json") == read(folder, "metrics.json")
    for name in RESULT:
        assert (copy / name).read_bytes() == (folder / name).read_bytes(), name


# --- networks that cannot be loaded -------------------------------------------------------------


def refused(folder):
    with pytest.raises(UserError) as caught:
        ltnas.load_network(folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


def test_folder_without_a_network(tmp_path, searched):
    assert "give a run folder that ltnas.retrain printed" in refused(tmp_path / "nowhere")
    assert "has no trained network (No such file" in refused(searched)


def swapped(folder):
    """Weights of a network with other shapes."""
    tensors = load_file(folder / "network.safetensors")
    save_file({name: value.new_zeros(3) for name, value in tensors.items()}, folder / "n")
    (folder / "n").replace(folder / "network.safetensors")


def described(**changes):
    def change(folder):
        description = {**read(folder, "network.json"), **changes}
        description = {key: value for key, value in description.items() if value is not None}
        (folder / "network.json").write_text(json.dumps(description))

    return change


def cut(name):
    def change(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return change


DAMAGES = {
    "half the weights": cut("network.safetensors"),
    "half the description": cut("network.json"),
    "other shapes": swapped,
    "no genotype": described(genotype=None),
    "no channels": described(channels=None),
    "more cells": described(cells=4),
    "text for a number": described(channels="many"),
    "a list": lambda folder: (folder / "network.json").write_text("[]"),
    "a broken genotype": described(genotype={"normal": {}}),
}


def test_a_genotype_with_noise_is_trained(tmp_path):
    cell = {"edges": [["noise", 2, 0], ["sep_conv_3x3", 2, 1], ["noise", 3, 2], ["noise", 3, 0]]}
    file = tmp_path / "noise.json"
    file.write_text(json.dumps({"normal": cell, "reduce": cell}))
    words = (f"genotype={file}", NO_AUXILIARY, "drop_path=0.3")
    (_, first), (_, again) = (retrained(tmp_path / name, *words) for name in "ab")
    for name in ("history.csv", "network.safetensors"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    assert load_genotype(str(first))[0].cell("normal").share("noise") == 0.75
    # Without noise: what it draws has no weights, and takes no multiplications.
    cell["edges"] = [["sep_conv_3x3", 2, 1], ["none", 3, 2], ["none", 3, 0]]
    file.write_text(json.dumps({"normal": cell, "reduce": cell}))
    _, quiet = retrained(tmp_path / "c", f"genotype={file}", NO_AUXILIARY, "epochs=1")
    counts = ("parameters", "multiply_accumulates")
    with_noise, without = (read(folder, "metrics.json") for folder in (first, quiet))
    assert [with_noise[key] for key in counts] == [without[key] for key in counts]
    network, images = ltnas.load_network(first), torch.randn(4, 3, 8, 8)
    assert not torch.equal(network(images), network(images))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_network(tmp_path, from_folder, damage):
    for name in ("network.safetensors", "network.json"):
        shutil.copy(from_folder[1] / name, tmp_path)
    ltnas.load_network(tmp_path)
    DAMAGES[damage](tmp_path)
    message = refused(tmp_path)
    assert "is no genotype" in message or "holds a damaged network (" in message
