"""Tables of scores: for a terminal, and as CSV for other programs."""

from __future__ import annotations

import csv
import io
import math

from rich.table import Table
from rich.text import Text

from ltnas.config import PROXY_MEANINGS
from ltnas.ranking.scores import Scored, agreements, mean_ranks, ranks
from ltnas.runs.folder import without_time

NAME_WIDTH = 32
"""Widest name of a genotype on a terminal, characters."""
LAST_LINE = "Kendall's tau"
GAP = 2
"""Blanks between the columns of a table."""
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k"))
"""Smallest number that has a unit, and the unit."""


def number(value: float) -> str:
    """Return a score in four digits: 196.6, 43.44M, 1.912e-03."""
    if not math.isfinite(value):
        return str(value)
    for smallest, unit in UNITS:
        if abs(value) >= smallest:
            return f"{value / (1e3 if unit == 'k' else smallest):.4g}{unit}"
    return f"{value:.3e}" if 0 < abs(value) < 1e-3 else f"{value:.4g}"


def table_of_one(scored: Scored) -> Table:
    """Return the table of a single candidate: one line for each proxy, and what it measures."""
    table = Table(box=None, pad_edge=False)
    table.add_column("proxy")
    table.add_column("score", justify="right")
    deviations = any(scored.deviation(proxy) is not None for proxy in scored.scores)
    if deviations:
        table.add_column("deviation", justify="right")
    table.add_column("what it measures; higher is better")
    for proxy in scored.scores:
        deviation = scored.deviation(proxy)
        spread = [number(deviation) if deviation is not None else "-"] if deviations else []
        table.add_row(proxy, number(scored.mean(proxy)), *spread, PROXY_MEANINGS[proxy])
    return table


def tables_of_many(scored: list[Scored], width: int) -> list[Table]:
    """Return tables with a line for each candidate, and as many proxies side by side as fit.

    The best score of each proxy is bold. The last line is Kendall's tau, if any is known.

    Args:
        scored: candidates in the order of the lines.
        width: width of the terminal, characters.
    """
    proxies = list(scored[0].scores)
    taus = agreements(scored, proxies)
    known = any(tau is not None for tau in taus.values())
    first = [[*map(Text, column)] for column in _first_columns(scored)]
    if known:
        first = [[*column, Text("" if place else LAST_LINE)] for place, column in enumerate(first)]
    columns = [_column(scored, proxy, [taus[proxy]] if known else []) for proxy in proxies]
    room = width - sum(map(_width, first)) + GAP
    return [_table([*first, *block]) for block in _blocks(columns, room)]


def _first_columns(scored: list[Scored]) -> list[list[str]]:
    """Return name, accuracy if any is known, and mean rank of the candidates, with headings."""
    names = [one.candidate.name for one in scored]
    accuracies = [one.candidate.accuracy for one in scored]
    order = mean_ranks(scored, list(scored[0].scores))
    columns = [
        ["genotype", *map(_short, names)],
        ["accuracy", *("-" if value is None else f"{100 * value:.2f}" for value in accuracies)],
        ["rank", *(f"{rank:.1f}" for rank in order)],
    ]
    return columns if any(value is not None for value in accuracies) else [columns[0], columns[2]]


def _short(name: str) -> str:
    """Return a name that fits into the first column."""
    short = without_time(name)
    return f"{short[: NAME_WIDTH - 1]}…" if len(short) > NAME_WIDTH else short


def _column(scored: list[Scored], proxy: str, taus: list[float | None]) -> list[Text]:
    """Return the column of a proxy: heading, scores, and Kendall's tau if it is given."""
    places = ranks(scored, proxy)
    best = min(places)
    cells = [
        Text(number(one.mean(proxy)), style="bold" if place == best else "")
        for one, place in zip(scored, places, strict=True)
    ]
    return [Text(proxy), *cells, *(Text("-" if tau is None else f"{tau:+.2f}") for tau in taus)]


def _blocks(columns: list[list[Text]], room: int) -> list[list[list[Text]]]:
    """Return columns in groups that fit side by side; a group has at least one."""
    blocks: list[list[list[Text]]] = []
    for column in columns:
        if blocks and sum(map(_width, [*blocks[-1], column])) <= room:
            blocks[-1].append(column)
        else:
            blocks.append([column])
    return blocks


def _width(column: list[Text]) -> int:
    """Return the width of a column and of the gap after it, characters."""
    return max(map(len, column)) + GAP


def _table(columns: list[list[Text]]) -> Table:
    """Return a table of columns, whose first cells are their headings."""
    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column[0], justify="right" if place else "left", no_wrap=True)
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*row)
    return table


def rank_csv(scored: list[Scored]) -> str:
    """Return one line for each candidate: name, accuracy, runs, and the columns of each proxy.

    These are its score, the deviation of the score over the draws of weights, and the rank.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    proxies = list(scored[0].scores)
    headings = [(proxy, f"{proxy}_deviation", f"{proxy}_rank") for proxy in proxies]
    writer.writerow(
        ["genotype", "accuracy", "runs", *(name for names in headings for name in names)]
    )
    by_proxy = [ranks(scored, proxy) for proxy in proxies]
    for one, places in zip(scored, zip(*by_proxy, strict=True), strict=True):
        numbers = [
            value
            for proxy, place in zip(proxies, places, strict=True)
            for value in (one.mean(proxy), one.deviation(proxy), place)
        ]
        candidate = one.candidate
        runs = len(candidate.accuracies)
        writer.writerow([candidate.name, candidate.accuracy, runs, *numbers])
    return text.getvalue()
