"""Reports on test splits that are not balanced."""

import csv
import io
import json

import pytest
from test_report import data_of, reported, rows_of, trained

from ltnas.reports.caveats import caveats
from ltnas.reports.formats import latex, markdown, rows_csv, runs_csv
from ltnas.reports.page import page
from ltnas.reports.runs import find_runs, read_run

LARGE = [[98, 2, 0], [6, 4, 0], [5, 0, 5]]
"""Confusion matrix: accuracy 107 of 120, and classes at 98, 40 and 50 per cent."""
SMALL = [[80, 20, 0], [1, 9, 0], [2, 0, 8]]
"""Confusion matrix: accuracy 97 of 120, and classes at 80, 90 and 80 per cent."""


def reports_on(confusion, *names):
    accuracy = sum(row[label] for label, row in enumerate(confusion)) / 120
    per_class = [row[label] / sum(row) for label, row in enumerate(confusion)]
    report = reported(accuracy) | {
        **{"macro_accuracy": sum(per_class) / 3, "few": per_class[2], "confusion": confusion},
    }
    return dict.fromkeys(names, report)


def unbalanced(root, scheme, confusion, *names):
    """Write the folder of a training that was tested on images of unequal classes."""
    folder = trained(root, scheme, 0, 0.5, imbalance="natural")
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text()) | {"test": reports_on(confusion, *names)}
    path.write_text(json.dumps(metrics))
    return folder


@pytest.mark.parametrize("names", [("test",), ("balanced", "long_tailed")])
def test_rows_are_ranked_by_macro_accuracy(tmp_path, names):
    """Also those of version 0.1.0, which called every test split balanced."""
    for scheme, confusion in (("darts", LARGE), ("fairdarts", SMALL)):
        folder = unbalanced(tmp_path, scheme, confusion, *names)
        column = "macro_accuracy_test" if names == ("test",) else "macro_accuracy_balanced"
        (folder / "history.csv").write_text(f"epoch,{column}\n0,0.25\n")
    rows = rows_of(tmp_path)
    assert [(row.scheme, row.mean(row.headline)) for row in rows] == [
        ("fairdarts", pytest.approx((0.8 + 0.9 + 0.8) / 3)),
        ("darts", pytest.approx((0.98 + 0.4 + 0.5) / 3)),
    ]
    head, _, best, other = markdown(rows).splitlines()
    start = "| scheme | imbalance | seeds | class-balanced | paper | many | medium | few | test |"
    assert head.startswith(start)
    assert best.startswith(
        "| fairdarts | natural | 1 | 83.33 | - | 90.83 | - | 80.00 | 80.83 | - |"
    )
    assert other.split(" | ")[3] == "62.67"
    assert "balanced" not in latex(rows).replace("class-balanced", "")
    (line,) = csv.DictReader(io.StringIO(rows_csv(rows[:1])))
    assert float(line["macro_accuracy_test_mean"]) == pytest.approx(0.8333, abs=1e-4)
    assert not any(column.startswith("accuracy_balanced") for column in line)
    line = next(csv.DictReader(io.StringIO(runs_csv(find_runs([tmp_path])))))
    assert (line["test"], line["scheme"]) == ("test", "darts")
    assert float(line["macro_accuracy"]) == pytest.approx(0.6267, abs=1e-4)
    assert float(line["accuracy"]) == pytest.approx(107 / 120)
    note = "test split not balanced, class-balanced is the mean of the classes' accuracies: "
    assert note + "darts natural, fairdarts natural" in caveats(rows, [])
    data = data_of(page(rows, find_runs([tmp_path]), []))
    heading = [heading["name"] for heading in data["headings"]].index("class-balanced")
    assert data["rows"][0]["keys"][heading] == pytest.approx(0.8333, abs=1e-4)
    assert data["quantities"][0] == "class-balanced accuracy, %"
    assert data["rows"][0]["curves"][0] == [0.25]


def test_a_long_tailed_test_set_of_its_own_is_shown_too(tmp_path):
    tests = reports_on(SMALL, "test") | reports_on([[8, 0, 0], [0, 1, 0], [0, 1, 0]], "long_tailed")
    folder = unbalanced(tmp_path, "darts", SMALL, "test")
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"test": tests}))
    (row,) = rows_of(tmp_path)
    assert row.mean("accuracy_long_tailed") == pytest.approx(9 / 120)


def test_balanced_and_unbalanced_test_splits_in_one_table(tmp_path):
    for seed in (0, 1):
        trained(tmp_path, "darts", seed, 0.8 + 0.02 * seed)
    unbalanced(tmp_path, "darts", SMALL, "test")
    rows = rows_of(tmp_path)
    lines = [line.split(" | ") for line in markdown(rows).splitlines()]
    assert [(line[1], line[3], line[8]) for line in lines[2:]] == [
        ("exp0.1", "81.00 ± 1.41", "81.00 ± 1.41"),
        ("natural", "83.33", "80.83"),
    ]
    columns = next(csv.reader(io.StringIO(rows_csv(rows))))
    assert {"accuracy_balanced_mean", "macro_accuracy_test_mean"} <= set(columns)
    assert len(columns) == len(set(columns))


def test_a_training_without_its_ranking_number_is_unreadable(tmp_path):
    folder = unbalanced(tmp_path, "darts", SMALL, "test")
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["test"]["test"]["macro_accuracy"]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    reason = "metrics.json has no test.test.macro_accuracy: written by another version?"
    assert read_run(folder).reason == reason
