"""Columns of histories as curves over epochs."""

from ltnas.reports.curves import curve, history


def write(folder, *values):
    folder.mkdir(exist_ok=True)
    lines = [f"{epoch},{value}" for epoch, value in enumerate(values)]
    (folder / "history.csv").write_text("\n".join(["epoch,accuracy_balanced", *lines]) + "\n")
    return folder


def test_epochs_without_a_test_keep_the_value_of_the_last_one(tmp_path):
    folder = write(tmp_path / "one", "", 0.25, "", "", 0.5)
    found = history(folder / "history.csv", "accuracy_balanced")
    assert found == [0.25, 0.25, 0.25, 0.25, 0.5]
    every = write(tmp_path / "two", 0.75, 0.75, 0.75, 0.75, 1.0)
    assert curve([folder, every], "accuracy_balanced") == [0.5, 0.5, 0.5, 0.5, 0.75]


def test_a_column_without_numbers_is_no_curve(tmp_path):
    path = write(tmp_path / "none", "", "") / "history.csv"
    assert history(path, "accuracy_balanced") == []
    assert history(path, "loss") == []
    text = write(tmp_path / "text", 0.5, "much") / "history.csv"
    assert history(text, "accuracy_balanced") == []


def test_a_curve_ends_where_a_run_diverges(tmp_path):
    path = write(tmp_path / "nan", 0.5, 0.25, "nan", 0.5) / "history.csv"
    assert history(path, "accuracy_balanced") == [0.5, 0.25]
