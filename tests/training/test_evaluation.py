"""Groups and accuracies, against hand-made examples and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn import metrics
from torchmetrics.functional import classification as torchmetrics

from ltnas.data.test_sets import shot_groups
from ltnas.training.evaluation import (
    accuracy,
    calibration_error,
    confusion_matrix,
    counts_by_class,
    counts_of,
    f1_scores,
    report,
)

EXP_01 = [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]
EXP_001 = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]


@pytest.mark.parametrize("counts", [EXP_01, EXP_001])
def test_an_exponential_tail_is_cut_in_thirds(counts):
    assert shot_groups(counts, None, None) == {
        "many": [0, 1, 2, 3],
        "medium": [4, 5, 6],
        "few": [7, 8, 9],
    }


def test_groups_are_of_counts_and_not_of_class_numbers():
    order = [9, 0, 5, 3, 7, 1, 8, 2, 6, 4]
    groups = shot_groups([EXP_01[label] for label in order], None, None)
    assert {name: sorted(order[i] for i in members) for name, members in groups.items()} == {
        "many": [0, 1, 2, 3],
        "medium": [4, 5, 6],
        "few": [7, 8, 9],
    }


@pytest.mark.parametrize("counts", [[5000] * 10, [1] * 3])
def test_classes_of_one_size_are_all_many(counts):
    assert shot_groups(counts, None, None) == {
        "many": list(range(len(counts))),
        "medium": [],
        "few": [],
    }


@pytest.mark.parametrize("small", [500, 50])
def test_a_step_has_many_and_few(small):
    assert shot_groups([5000] * 5 + [small] * 5, None, None) == {
        "many": [0, 1, 2, 3, 4],
        "medium": [],
        "few": [5, 6, 7, 8, 9],
    }


def test_absolute_thresholds_are_those_of_liu_et_al():
    counts = [1280, 101, 100, 20, 19, 1]  # many: above 100; few: below 20
    assert shot_groups(counts, 100, 20) == {"many": [0, 1], "medium": [2, 3], "few": [4, 5]}


def test_one_absolute_threshold_leaves_the_other_cut():
    assert shot_groups(EXP_01, 3000, None) == {
        "many": [0, 1],
        "medium": [2, 3, 4, 5, 6],
        "few": [7, 8, 9],
    }
    assert shot_groups(EXP_01, None, 600) == {
        "many": [0, 1, 2, 3],
        "medium": [4, 5, 6, 7, 8],
        "few": [9],
    }


@pytest.fixture
def answers():
    """Labels and predictions, right more often than not, and far from balanced."""
    generator = np.random.RandomState(0)
    labels = generator.choice(6, size=700, p=[0.4, 0.25, 0.2, 0.1, 0.03, 0.02])
    wrong = generator.randint(0, 6, size=700)
    return labels, np.where(generator.rand(700) < 0.6, labels, wrong)


def test_confusion_matrix_is_that_of_scikit_learn(answers):
    labels, predictions = answers
    confusion = confusion_matrix(torch.tensor(predictions), torch.tensor(labels), 8)
    assert confusion.dtype == torch.int64
    expected = metrics.confusion_matrix(labels, predictions, labels=range(8))
    assert confusion.tolist() == expected.tolist()


def test_report_is_that_of_scikit_learn(answers):
    labels, predictions = answers
    names = tuple("abcdef")
    groups = {"many": [0, 1, 2], "medium": [3], "few": [4, 5]}
    confusion = confusion_matrix(torch.tensor(predictions), torch.tensor(labels), 6)
    result = report(counts_of(confusion), confusion, 0.25, names, groups)
    recall = metrics.recall_score(labels, predictions, average=None)
    assert result["per_class"] == pytest.approx(dict(zip(names, recall, strict=True)))
    # to the last digits of a double: these numbers go into files and tables
    assert result["accuracy"] == pytest.approx(
        metrics.accuracy_score(labels, predictions), rel=1e-12
    )
    assert result["accuracy"] == accuracy(counts_of(confusion))
    assert result["macro_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(labels, predictions), rel=1e-12
    )
    for name, members in groups.items():
        assert result[name] == pytest.approx(recall[members].mean(), rel=1e-12)
    f1 = metrics.f1_score(labels, predictions, average="macro")
    assert result["macro_f1"] == pytest.approx(f1, rel=1e-12)
    assert result["calibration_error"] == 0.25
    assert result["images"] == 700
    assert result["confusion"] == metrics.confusion_matrix(labels, predictions).tolist()


def test_report_is_that_of_torchmetrics_to_single_precision(answers):
    labels, predictions = (torch.tensor(part) for part in answers)
    counts = counts_by_class(predictions, labels, 6)
    result = report(counts, None, 0.0, tuple("abcdef"), {})
    assert "confusion" not in result
    for key, metric, average in (
        ("accuracy", torchmetrics.multiclass_accuracy, "micro"),
        ("macro_accuracy", torchmetrics.multiclass_accuracy, "macro"),
        ("macro_f1", torchmetrics.multiclass_f1_score, "macro"),
    ):
        expected = float(metric(predictions, labels, 6, average=average))
        assert result[key] == pytest.approx(expected, rel=1e-6)


def test_counts_are_those_of_the_confusion_matrix(answers):
    labels, predictions = (torch.tensor(part) for part in answers)
    counts = counts_by_class(predictions, labels, 8)
    assert counts.tolist() == counts_of(confusion_matrix(predictions, labels, 8)).tolist()
    assert counts[2].tolist() == labels.bincount(minlength=8).tolist()


def test_an_image_counts_in_the_row_of_its_label():
    confusion = confusion_matrix(torch.tensor([2]), torch.tensor([0]), 3)
    assert confusion.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_a_class_without_test_images_is_none_and_left_out_of_means():
    confusion = torch.tensor([[3, 1, 0], [2, 2, 0], [0, 0, 0]])
    groups = {"many": [0, 2], "medium": [], "few": [2]}
    result = report(counts_of(confusion), confusion, 0.0, ("a", "b", "c"), groups)
    assert result["per_class"] == {"a": 0.75, "b": 0.5, "c": None}
    assert result["many"] == 0.75
    assert result["medium"] is None
    assert result["few"] is None
    assert result["macro_accuracy"] == 0.625
    assert result["macro_f1"] == pytest.approx((6 / 9 + 4 / 7) / 2)
    assert result["accuracy"] == 0.625
    assert result["images"] == 8


def test_f1_of_each_class(answers):
    labels, predictions = answers
    found = f1_scores(counts_by_class(torch.tensor(predictions), torch.tensor(labels), 7))
    expected = metrics.f1_score(labels, predictions, average=None, labels=range(6))
    assert found[:6] == pytest.approx(expected.tolist())
    assert found[6] is None  # no test image
    never = f1_scores(counts_of(torch.tensor([[2, 0], [3, 0]])))
    assert never == pytest.approx([4 / 7, 0.0])


def test_calibration_error_is_its_equation():
    generator = np.random.RandomState(1)
    confidences = generator.uniform(0.1, 1.0, size=500)
    confidences[:20] = 1.0
    confidences[20:30] = 3 / 15  # edges belong to the bin below
    hits = generator.rand(500) < confidences**2
    expected = 0.0
    for m in range(1, 16):
        inside = (confidences > (m - 1) / 15) & (confidences <= m / 15)
        if inside.any():
            gap = abs(hits[inside].mean() - confidences[inside].mean())
            expected += inside.mean() * gap
    found = calibration_error(torch.tensor(confidences), torch.tensor(hits))
    assert found == pytest.approx(expected)
    assert found > 0.1


def test_a_full_confidence_has_no_bin_of_its_own():
    found = calibration_error(torch.tensor([0.95, 1.0]), torch.tensor([True, False]))
    assert found == pytest.approx(0.475)


def test_calibration_error_is_that_of_torchmetrics_where_no_confidence_is_an_edge():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randn(400, 5, generator=generator, dtype=torch.float64).mul(2).softmax(1)
    labels = torch.randint(0, 5, (400,), generator=generator)
    expected = torchmetrics.multiclass_calibration_error(probabilities, labels, 5, n_bins=15)
    confidences, predictions = probabilities.max(1)
    assert calibration_error(confidences, predictions == labels) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("confidence", "hit", "expected"), [(1.0, True, 0), (1.0, False, 1), (0.5, True, 0.5)]
)
def test_calibration_error_of_one_answer(confidence, hit, expected):
    found = calibration_error(torch.full((9,), confidence), torch.full((9,), hit))
    assert found == pytest.approx(expected)
