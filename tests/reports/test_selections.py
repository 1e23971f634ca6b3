"""Candidates of a selection on the page of a report."""

import json

import pytest

from ltnas.reports.selections import selection
from ltnas.space.genotype import load_genotype

DARTS, PC_DARTS = (load_genotype(name)[0].to_json() for name in ("darts_v2", "pc_darts_cifar"))


def written(folder, records, found=DARTS):
    (folder / "selection.json").write_text(json.dumps(records))
    (folder / "genotype.json").write_text(json.dumps({"scheme": "any", **found}))
    return selection(folder)


def texts(decision):
    return [row["texts"] for row in decision["rows"]]


def test_candidates_of_a_proxy_are_ordered_by_it_and_the_rest_is_counted(tmp_path):
    scores = [float("nan"), *map(float, range(24)), 1234.56]
    records = [
        {"candidate": number, "nwot": score, "genotype": DARTS if score > 24 else PC_DARTS}
        for number, score in enumerate(scores)
    ]
    found = written(tmp_path, records)
    (decision,) = found["decisions"]
    assert found["fields"] == ["candidate", "nwot", "operations"]
    assert (decision["count"], len(decision["rows"])) == (26, 20)
    assert [line[:2] for line in texts(decision)[:2]] == [["26", "1235"], ["25", "23"]]
    assert texts(decision)[0][2] == (
        "normal cell: 1 dil conv 3x3, 5 sep conv 3x3, 2 skip connect; "
        "reduction cell: 5 max pool 3x3, 3 skip connect"
    )
    assert [row["kept"] for row in decision["rows"]] == [True] + [False] * 19


def test_a_score_that_is_not_finite_comes_last(tmp_path):
    records = [
        {"candidate": number, "zen": score, "genotype": DARTS}
        for number, score in enumerate([float("nan"), -3.0])
    ]
    (decision,) = written(tmp_path, records)["decisions"]
    assert [line[:2] for line in texts(decision)] == [["2", "-3"], ["1", "-"]]


def test_finalists_come_before_candidates_that_were_measured_on_few_images(tmp_path):
    accuracies = [(0.5, None), (0.7, 0.41), (0.6, 0.42)]
    records = [
        {
            **{"candidate": number, "accuracy": few, "loss": 1.23456},
            **{"final_accuracy": final, "genotype": PC_DARTS if number == 2 else DARTS},
        }
        for number, (few, final) in enumerate(accuracies)
    ]
    found = written(tmp_path, records, PC_DARTS)
    (decision,) = found["decisions"]
    assert found["fields"] == [
        *("candidate", "accuracy, %", "loss", "accuracy on all images, %", "operations")
    ]
    assert [line[:4] for line in texts(decision)] == [
        ["3", "60.00", "1.235", "42.00"],
        ["2", "70.00", "1.235", "41.00"],
        ["1", "50.00", "1.235", "-"],
    ]
    assert [row["kept"] for row in decision["rows"]] == [True, False, False]


def removed(cell, source, operation, accuracy, kept, node=2):
    return {
        **{"cell": cell, "node": node, "source": source, "operation": operation},
        **{"accuracy_without": accuracy, "loss_without": 2.0, "kept": kept},
    }


def test_a_removal_decides_on_operations_and_then_on_edges(tmp_path):
    records = [
        removed("reduce", 1, "skip_connect", 0.5, False),
        removed("reduce", 1, "sep_conv_3x3", 0.25, True),
        # An edge of a single operation is no candidate among edges yet.
        removed("reduce", 0, "skip_connect", 0.5, True),
        removed("reduce", 0, "skip_connect", 0.3, True),
        removed("reduce", 1, "sep_conv_3x3", 0.4, True),
    ]
    found = written(tmp_path, records)
    assert found["fields"] == ["edge", "operation", "accuracy without, %", "loss without"]
    assert [(decision["name"], decision["count"]) for decision in found["decisions"]] == [
        ("reduction cell, edge 1 → 2", 2),
        ("reduction cell, edge 0 → 2", 1),
        ("reduction cell, edges into node 2", 2),
    ]
    first = found["decisions"][0]
    assert texts(first) == [
        ["1 → 2", "sep conv 3x3", "25.00", "2.000"],
        ["1 → 2", "skip connect", "50.00", "2.000"],
    ]
    assert [row["kept"] for row in first["rows"]] == [True, False]


@pytest.mark.parametrize(
    "text",
    [None, "", "[]", "{}", "[1]", '[{"genotype": {}}]', '[{"cell": "normal"}]', '{"a": [1]}'],
)
def test_a_run_without_a_selection_that_can_be_read_has_none(tmp_path, text):
    (tmp_path / "genotype.json").write_text(json.dumps(DARTS))
    if text is not None:
        (tmp_path / "selection.json").write_text(text)
    assert selection(tmp_path) is None
