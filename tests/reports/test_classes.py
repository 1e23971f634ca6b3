"""Results by class on the page: means over seeds, and a confusion matrix of few classes."""

import json

import pytest
from test_report import rows_of, trained

from ltnas.reports import figures
from ltnas.reports.classes import class_results


def with_classes(folder, accuracies, *, matrix=None, counts=None):
    """Give a training results of each class, as a run of this version has."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    names = [f"species {label}" for label in range(len(accuracies))]
    report = {"per_class": dict(zip(names, accuracies, strict=True))}
    report |= {"confusion": matrix} if matrix else {}
    metrics["test"]["balanced"] |= report
    metrics["data"] |= {
        "class_counts": counts or [2 * len(names) - label for label in range(len(names))],
        "groups": {"many": [0], "medium": [], "few": list(range(1, len(names)))},
    }
    path.write_text(json.dumps(metrics))
    return folder


def test_seeds_are_averaged_and_their_matrices_added(tmp_path):
    with_classes(trained(tmp_path, "darts", 0, 0.5), [1.0, 0.5], matrix=[[2, 0], [1, 1]])
    with_classes(trained(tmp_path, "darts", 1, 0.5), [0.5, None], matrix=[[1, 1], [0, 2]])
    content = class_results(rows_of(tmp_path))
    assert content["sets"] == [
        {"names": ["species 0", "species 1"], "counts": [4, 3], "groups": ["many", "few"]}
    ]
    (result,) = content["results"]
    assert result == {"set": 0, "accuracies": [0.75, 0.5], "confusion": [[3, 1], [1, 3]]}


def test_rows_of_the_same_classes_share_their_names(tmp_path):
    for scheme in ("darts", "pc_darts", "gdas"):
        folder = trained(tmp_path, scheme, 0, 0.5)
        with_classes(folder, [0.5] * 300, counts=[7] * 300 if scheme == "gdas" else None)
    content = class_results(rows_of(tmp_path))
    assert len(content["sets"]) == 2
    assert sorted(result["set"] for result in content["results"]) == [0, 0, 1]
    assert [result["confusion"] for result in content["results"]] == [None] * 3


def test_a_training_without_results_by_class_has_none(tmp_path):
    trained(tmp_path, "darts", 0, 0.5)
    assert class_results(rows_of(tmp_path)) == {"sets": [], "results": [None]}


@pytest.mark.parametrize(("classes", "shown"), [(10, 10), (100, 100), (1000, 100), (8142, 100)])
def test_a_chart_of_class_counts_has_bars_that_can_be_seen(classes, shown):
    counts = [(7 * label) % classes + 1 for label in range(classes)]
    drawn = figures.bars(counts, "exp0.1")
    assert drawn.count("<rect") == shown
    if classes == 1000:
        assert "<title>mean of classes 1 to 10 by size: 996 images</title>" in drawn
