"""Predictions as rows of a CSV file and of a table."""

import csv
import io

from rich.console import Console

from ltnas.deployment.prediction import Prediction
from ltnas.deployment.prediction_table import prediction_table, shortened, write_csv

FOUND = [
    Prediction("a, b.png", ("oak [red]", "newt"), (0.75, 0.25)),
    Prediction("cut.png", error="image cut.png cannot be read (truncated): remove it"),
]


def test_rows_of_a_file():
    file = io.StringIO()
    assert list(write_csv(file, FOUND, 2)) == FOUND
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert rows == [
        {
            **{"path": "a, b.png", "class": "oak [red]", "probability": "0.750000"},
            **{"class_2": "newt", "probability_2": "0.250000", "error": ""},
        },
        {
            **{"path": "cut.png", "class": "", "probability": "", "class_2": ""},
            **{"probability_2": "", "error": FOUND[1].error},
        },
    ]


def test_one_class_needs_no_further_columns():
    file = io.StringIO()
    list(write_csv(file, [Prediction("a.png", ("oak",), (1.0,))], 1))
    assert file.getvalue() == "path,class,probability,error\na.png,oak,1.000000,\n"


def test_a_table_of_long_names_fits_on_a_terminal():
    long = Prediction(
        "photos/" + "deep/" * 20 + "image.png",
        ("a very long name of a class indeed", *(f"another class {n}" for n in range(9))),
        (0.5, *[0.05] * 9),
    )
    console = Console(file=io.StringIO(), width=80, markup=False)
    console.print(prediction_table([*FOUND, long]))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split("  ")[0] == "a, b.png"
    assert "oak [red]" in lines[1]
    assert "75.0" in lines[1]
    assert "newt 25.0" in lines[1]
    assert any("deep/image.png" in line for line in lines)
    assert not any("cut.png" in line for line in lines)


def test_long_paths_keep_their_end():
    assert shortened("short.png", 12) == "short.png"
    assert shortened("0123456789.png", 12) == "...56789.png"
