"""Trainings and searches on data sets of their own: test splits, validation, placement, files."""

import csv
import itertools
import json

import pytest
from composed import composed
from PIL import Image

import ltnas
from ltnas.data.placement import place
from ltnas.retrain import retrain
from ltnas.search import search

RESIDUAL = ("network=resnet20", "network.depth=8", "network.width=4")
"""A network that is trained in a second."""


def retrained(root, *arguments):
    """Return the folder of a short training of a residual network."""
    return retrain(composed("retrain", *RESIDUAL, f"runs={root}", *arguments))


def read(folder, name):
    return json.loads((folder / name).read_text())


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_an_unbalanced_test_split_is_named_and_ranked_by_its_classes(tmp_path, capsys):
    """Its large class would otherwise hide that the others are never predicted."""
    for part, counts in (("train", (40, 12, 4)), ("test", (20, 5, 2))):
        for label, count in enumerate(counts):
            folder = tmp_path / "trees" / part / "abc"[label]
            folder.mkdir(parents=True)
            for number in range(count):
                grey = Image.new("RGB", (8, 8), (number, 80 * label, 99))
                grey.save(folder / f"{number}.png")
    data = ("data=folder", f"data.root={tmp_path / 'trees'}", "data.image_size=8")
    folder = retrained(tmp_path / "runs", "imbalance=natural", *data)
    metrics, last = read(folder, "metrics.json"), rows(folder / "history.csv")[-1]
    assert list(metrics["test"]) == ["test"]
    tested = metrics["test"]["test"]
    macro = sum(row[label] / sum(row) for label, row in enumerate(tested["confusion"])) / 3
    assert tested["macro_accuracy"] == pytest.approx(macro)
    assert tested["accuracy"] != tested["macro_accuracy"]
    assert float(last["macro_accuracy_test"]) == tested["macro_accuracy"]
    assert float(last["accuracy_test"]) == tested["accuracy"]
    assert not any("balanced" in column or "long_tailed" in column for column in last)
    printed = capsys.readouterr().out
    assert "balanced test" not in printed
    assert f"test {100 * macro:.1f}% class-balanced" in printed
    table = printed[printed.index("accuracy and more") :].splitlines()
    assert table[1].split() == ["training", "images", "test"]
    assert table[2].split() == ["macro", "accuracy", "56", f"{100 * macro:.2f}"]
    assert table[3].split() == ["all", "test", "images", f"{100 * tested['accuracy']:.2f}"]
    assert sum(line.startswith("macro accuracy") for line in table) == 1


def test_images_for_validation_have_columns_and_results_of_their_own(tmp_path, capsys):
    folder = retrained(tmp_path, "epochs=1", "data.validation=0.2")
    metrics, (last,) = read(folder, "metrics.json"), rows(folder / "history.csv")
    assert metrics["data"]["validation_images"] == metrics["validation"]["images"] == 116
    assert sum(metrics["data"]["class_counts"]) + 116 == 580
    assert list(metrics["test"]) == ["balanced", "long_tailed"]
    assert float(last["macro_accuracy_validation"]) == metrics["validation"]["macro_accuracy"]
    printed = capsys.readouterr().out
    assert "116 further images for validation" in printed
    assert "validation" in printed[printed.index("accuracy and more") :].splitlines()[1]
    # Probabilities are calibrated on them.
    calibration = metrics["calibration"]
    assert list(calibration["calibration_error"]) == ["balanced", "long_tailed", "validation"]
    before = calibration["calibration_error"]["balanced"]["before"]
    assert before == pytest.approx(metrics["test"]["balanced"]["calibration_error"], abs=1e-6)
    assert f"temperature {calibration['temperature']:.3f}" in printed
    assert ltnas.load_network(folder).temperature == calibration["temperature"] != 1
    assert f"divided by {calibration['temperature']:.3f}" in (folder / "model_card.md").read_text()


def test_the_placement_of_the_images_changes_no_bit(tmp_path, monkeypatch):
    kinds, weights = [], []

    def placed(data, device, kind):
        kinds.append(kind)
        return place(data, device, kind)

    monkeypatch.setattr("ltnas.data.module.place", placed)
    for placement in ("device", "host"):
        folder = retrained(tmp_path / placement, "epochs=1", f"data.placement={placement}")
        weights.append((folder / "network.safetensors").read_bytes())
    assert kinds == ["device"] * 2 + ["host"] * 2  # training and test images
    assert weights[0] == weights[1]


def test_images_that_cannot_be_read_are_listed_in_the_folder(tmp_path):
    for split, label, number in itertools.product(("train", "test"), "ab", range(6)):
        path = tmp_path / "trees" / split / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * number, 90, 0)).save(path)
    broken = tmp_path / "trees" / "train" / "b" / "0.png"
    broken.write_bytes(b"broken")
    data = ("data=folder", f"data.root={tmp_path / 'trees'}", "data.image_size=8")
    skipping = ("imbalance=natural", "data.broken=skip", "epochs=1", "batch_size=4")
    trained = retrained(tmp_path / "runs", *data, *skipping)
    searched = search(composed("search", "scheme=random", *data, *skipping, f"runs={tmp_path}"))
    for folder in (trained, searched):
        assert (folder / "skipped_images.txt").read_text() == f"{broken}\n"
        assert read(folder, "metrics.json")["data"]["skipped_images"] == 1
