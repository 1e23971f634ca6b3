"""Tables of scores on a terminal of 80 columns, and as CSV."""

import csv
import io
import math

import pytest
from rich.console import Console

from ltnas.config import PROXY_NAMES
from ltnas.ranking.candidates import Candidate
from ltnas.ranking.scores import Scored
from ltnas.ranking.tables import number, rank_csv, table_of_one, tables_of_many
from ltnas.space.genotype import load_genotype

GENOTYPE = load_genotype("darts_v2")[0]


def many(accuracies=(None, None, None), proxies=PROXY_NAMES):
    names = ("[red]short", "a-name-that-is-longer-than-the-table-is-wide", "third")
    return [
        Scored(
            Candidate(name, GENOTYPE, () if accuracy is None else (accuracy,)),
            {proxy: [place + 0.5, place + 1.5] for proxy in proxies},
        )
        for place, (name, accuracy) in enumerate(zip(names, accuracies, strict=True))
    ]


def printed(*tables):
    console = Console(width=80, file=io.StringIO(), markup=False)
    for table in tables:
        console.print(table)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((196.604, "196.6"), (43444736, "43.44M"), (903578, "903.6k"), (-27.21, "-27.21")),
        *((0.00191192, "0.001912"), (5.1e-5, "5.100e-05"), (0.0, "0"), (-math.inf, "-inf")),
        *((math.nan, "nan"), (1.5e18, "1.5e+06T"), (9818.0, "9818")),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_all_proxies_of_many_fit_and_each_is_there_once():
    tables = tables_of_many(many((0.1, 0.2, 0.4)), 80)
    lines = printed(*tables)
    assert max(map(len, lines)) <= 80
    headings = [word for line in lines if line.startswith("genotype") for word in line.split()]
    assert [word for word in headings if word in PROXY_NAMES] == list(PROXY_NAMES)
    assert len(tables) < 6


def test_lines_of_many():
    lines = printed(*tables_of_many(many((0.1, None, 0.4), ["nwot"]), 80))
    assert [line.split() for line in lines] == [
        ["genotype", "accuracy", "rank", "nwot"],
        ["[red]short", "10.00", "3.0", "1"],
        ["a-name-that-is-longer-than-the-…", "-", "2.0", "2"],
        ["third", "40.00", "1.0", "3"],
    ]


def test_tau_is_the_last_line():
    *_, last = printed(*tables_of_many(many((0.1, 0.2, 0.4), ["nwot"]), 80))
    assert last.split() == ["Kendall's", "tau", "+1.00"]


def test_a_single_genotype_has_a_line_for_each_proxy():
    lines = printed(table_of_one(many()[0]))
    assert len(lines) == 1 + len(PROXY_NAMES)
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[:3] == ["grad_norm", "1", "0.7071"]
    once = Scored(many()[0].candidate, {"macs": [5.0]})
    assert printed(table_of_one(once))[1].split()[:2] == ["macs", "5"]
    assert "deviation" not in printed(table_of_one(once))[0]


def test_csv():
    first, second, _ = csv.DictReader(io.StringIO(rank_csv(many((0.25, None, 0.5), ["nwot"]))))
    assert first == {
        **{"genotype": "[red]short", "accuracy": "0.25", "runs": "1"},
        **{"nwot": "1.0", "nwot_deviation": "0.7071067811865476", "nwot_rank": "3.0"},
    }
    assert (second["accuracy"], second["runs"]) == ("", "0")
