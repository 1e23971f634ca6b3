"""Model cards of trainings, from their metrics.json alone."""

import copy
import re

import pytest

from ltnas.reports.model_card import model_card
from ltnas.reports.model_doubts import doubts

REPORT = {
    **{"accuracy": 0.75, "macro_accuracy": 0.6, "macro_f1": 0.55, "calibration_error": 0.02},
    **{"many": 0.9, "medium": None, "few": 0.3, "images": 400},
    "per_class": {"newt": 0.9, "oak [red]": 0.3},
    "confusion": [[180, 20], [140, 60]],
}
METRICS = {
    **{"kind": "retrain", "scheme": "fairdarts", "imbalance": "exp0.1", "seed": 4, "epochs": 150},
    **{"parameters": 3_300_000, "multiply_accumulates": 528_000_000},
    "test": {"balanced": REPORT, "long_tailed": {**REPORT, "accuracy": 0.8, "images": 220}},
    "data": {
        **{"source": "folder", "imbalance": "exp0.1", "subset_checksum": "f00d"},
        **{"checksum": "beef", "test_checksum": "cafe", "image_size": 32},
        **{"classes": ["newt", "oak [red]"], "class_counts": [500, 50], "test_images": 400},
        **{"long_tailed_test_images": 220, "groups": {"many": [0], "medium": [], "few": [1]}},
    },
    "provenance": {
        **{"commit": "a" * 40, "versions": {"ltnas": "0.1.0"}, "device": "one GPU"},
        "command": "python -m ltnas.retrain data.root=/home/alice/patients",
    },
}


@pytest.fixture
def metrics():
    return copy.deepcopy(METRICS)


def test_numbers_of_the_card(metrics):
    card = model_card(metrics)
    for line in (
        "# fairdarts, trained on folder exp0.1",
        "| newt | 500 |",
        r"| oak \[red\] | 50 |",
        "| | balanced test | long-tailed test |",
        "| images | 400 | 220 |",
        "| all images | 75.00 | 80.00 |",
        "| mean of the classes | 60.00 | 60.00 |",
        "| medium-shot classes | - | - |",
        "| calibration error | 2.00 | 2.00 |",
        r"Worst classes on the balanced test: oak \[red\]: 30.00 (50 training images), newt: 90.00 "
        "(500 training images).",
    ):
        assert line in card.splitlines()
    assert "550 training images; the largest class has 500 of them, the smallest 50." in card
    assert "Subset `f00d`, images `beef`." in card
    assert "3,300,000 parameters" in card


def test_the_hub_can_read_the_header_and_no_licence_is_claimed(metrics):
    card = model_card(metrics)
    header = re.match(r"---\n(.*?)---\n# ", card, re.S)[1]
    assert "pipeline_tag: image-classification" in header
    assert "license" not in header
    assert "None is stated here" in card


def test_the_card_has_no_paths_of_the_machine(metrics):
    assert "alice" not in model_card(metrics)


def test_many_classes_stay_short(metrics):
    names = [f"class {number}" for number in range(1000)]
    metrics["data"] |= {"classes": names, "class_counts": [*range(1000, 0, -1)]}
    for report in metrics["test"].values():
        report["per_class"] = {name: number / 1000 for number, name in enumerate(names)}
    card = model_card(metrics)
    assert len(card.splitlines()) < 80
    assert "class 0: 0.00 (1,000 training images), class 1: 0.10" in card


def test_images_for_validation_have_a_column(metrics):
    assert "| validation |" not in model_card(metrics)
    metrics["validation"] = {**REPORT, "accuracy": 0.7}
    card = model_card(metrics)
    assert "| | balanced test | long-tailed test | validation |" in card
    assert "| all images | 75.00 | 80.00 | 70.00 |" in card


def test_very_many_classes_have_no_confusion_matrix(metrics):
    few = "2 of 2 classes have fewer than 100 test images"
    metrics["test"]["balanced"]["confusion"] = [[9, 0], [0, 9]]
    assert any(line.startswith(few) for line in doubts(metrics))
    del metrics["test"]["balanced"]["confusion"]
    assert not any("test images: their" in line for line in doubts(metrics))


def test_doubts_of_every_training(metrics):
    metrics["test"]["balanced"]["confusion"] = [[1000, 0], [0, 1000]]
    seeds, margin = doubts(metrics)
    assert seeds.startswith("one training, of seed 4")
    # 1.96 sqrt(0.75 0.25 / 400)
    assert margin == "the accuracy is uncertain by 4.2 points (95 %), as that of 400 test images"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: m["data"].update(test_images=10000), "tested on 400 of 10,000 test images"),
        (
            lambda m: m["test"]["balanced"].update(confusion=[[300, 0], [9, 90]]),
            "1 of 2 classes have fewer than 100 test images",
        ),
        (
            lambda m: m.update(test={"test": m["test"]["balanced"]}),
            "the test images are not balanced",
        ),
        (
            lambda m: m["data"].update(class_counts=[500, 19]),
            "1 of 2 classes have fewer than 20 training images",
        ),
        (
            lambda m: m["test"]["balanced"]["per_class"].update(newt=0.0),
            "1 of 2 classes are never recognised in the test",
        ),
        (
            lambda m: m["test"]["balanced"].update(calibration_error=0.081),
            "probabilities are 8.1 points off on average",
        ),
        (
            lambda m: m["provenance"].update(commit="a" * 40 + "+"),
            "the code of the training was not committed",
        ),
    ],
)
def test_doubts_with_a_reason(metrics, change, expected):
    assert not any(line.startswith(expected) for line in doubts(metrics))
    change(metrics)
    assert any(line.startswith(expected) for line in doubts(metrics))
    assert f"- {expected}" in model_card(metrics)


def test_a_temperature_is_told_and_its_calibration_counts(metrics):
    metrics["test"]["balanced"]["calibration_error"] = 0.08
    assert any("points off" in line for line in doubts(metrics))
    errors = {"balanced": {"before": 0.08, "after": 0.01}}
    metrics["calibration"] = {"temperature": 1.75, "calibration_error": errors}
    assert not any("points off" in line for line in doubts(metrics))
    card = model_card(metrics)
    assert "logits divided by 1.750" in card
    assert "on the balanced test set from 8.00 to 1.00, and no prediction" in card
