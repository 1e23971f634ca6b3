"""Figures 6 to 9 and table I of the paper, made from runs, with the paper's values beside ours."""

from __future__ import annotations

import html
import json
from collections import Counter, defaultdict

from ltnas.data.test_sets import BALANCED, headline
from ltnas.errors import UserError
from ltnas.reports import figures, published
from ltnas.reports.columns import all_balanced, percent
from ltnas.reports.curves import curve
from ltnas.reports.images import any_differ
from ltnas.reports.labels import numbered, told_apart
from ltnas.reports.row import Row
from ltnas.reports.runs import Run
from ltnas.space.genotype import Genotype, parse_genotype


def sections(rows: list[Row], runs: list[Run]) -> str:
    """Return figures 6 to 9 and table I as HTML, without those that no run belongs to."""
    return distributions(runs) + supernets(runs) + losses(rows) + table(rows) + contents(rows)


def distributions(runs: list[Run]) -> str:
    """Return fig. 6: the number of training images of each class, one panel for each imbalance."""
    subsets = set()
    for run in runs:
        data = run.metrics.get("data", {})
        if are_counts(data.get("class_counts")):
            subsets.add((run.metrics["imbalance"], data["source"], tuple(data["class_counts"])))
    names = Counter(imbalance for imbalance, _, _ in subsets)
    panels = "".join(
        figures.bars(counts, imbalance if names[imbalance] == 1 else f"{imbalance}, {source}")
        for imbalance, source, counts in sorted(subsets)
    )
    return _section("Training images of each class (fig. 6)", "", panels)


def are_counts(value: object) -> bool:
    """Return True if a value is a non-empty list of positive integers."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(count, int) and count > 0 for count in value)
    )


def supernets(runs: list[Run]) -> str:
    """Return fig. 7: the supernet's accuracy on each test set over the epochs of the search."""
    groups = dict(sorted(named_searches(runs).items()))
    folders = {name: [run.folder for run in members] for name, members in groups.items()}
    tests = {name: members[0].tests for name, members in groups.items()}
    is_balanced = all(test == BALANCED for test in tests.values())
    panels = {
        "balanced test set" if is_balanced else "all test images, class-balanced": {
            name: curve(folders[name], f"{headline(test)}_{test}") for name, test in tests.items()
        },
        "long-tailed test set": {
            name: curve(folders[name], "accuracy_long_tailed") for name in tests
        },
    }
    # All panels have the curves of the legend in the same order, and so in the same colours.
    shown = [name for name in tests if any(series[name] for series in panels.values())]
    drawn = "".join(
        figures.lines({name: series[name] for name in shown}, title)
        for title, series in panels.items()
    )
    return _section("Accuracy of the supernet by epoch (fig. 7)", figures.legend(shown), drawn)


def named_searches(runs: list[Run]) -> dict[str, list[Run]]:
    """Group finished searches that differ only in their seeds, under a name for each group.

    The name consists of the scheme, the imbalance, and the settings in which groups of the same
    scheme and imbalance differ.
    """
    groups: dict[str, dict[object, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run.state == "finished" and run.kind == "search":
            name = f"{run.metrics['scheme']} {run.metrics['imbalance']}"
            groups[name][run.key].append(run)
    named: dict[str, list[Run]] = {}
    for name, members in groups.items():
        words = told_apart([group[0].settings for group in members.values()])
        # Labels can be equal if a run of another version lacks the setting that differs.
        labels = numbered([f"{name} {differing}".strip() for differing in words])
        named |= dict(zip(labels, members.values(), strict=True))
    return named


def losses(rows: list[Row]) -> str:
    """Return fig. 8: the accuracy that a scheme loses when its training data are long-tailed."""
    lines = []
    for row in rows:
        full = balanced_counterpart(row, rows)
        before = full.mean(full.headline) if full else None
        now = row.mean(row.headline)
        if before is not None and now is not None:
            lines.append(
                [row.name, row.imbalance, f"{100 * before:.2f}", f"{100 * now:.2f}",
                 f"{100 * (before - now):.2f}"]
            )  # fmt: skip
    tested = "On the balanced test set" if all_balanced(rows) else "Class-balanced accuracy"
    hint = (
        f"<p class=hint>{tested}; in the paper {published.POINTS_LOST['name']} "
        f"loses {published.POINTS_LOST['points_lost']} points.</p>"
    )
    heads = ["scheme", "imbalance", "balanced data, %", "long-tailed data, %", "points lost"]
    title = "Accuracy lost with long-tailed training data (fig. 8)"
    return _section(title, hint, _table(heads, lines) if lines else "")


def balanced_counterpart(row: Row, rows: list[Row]) -> Row | None:
    """Return the row that was trained on balanced data and differs in nothing else.

    None if there is no such row, or if the images of several differ: images of an older version
    may not be known well enough to choose.
    """
    alike = [
        other
        for other in rows
        if other.imbalance == "balance" and row.is_another_imbalance_of(other)
    ]
    if any_differ(other.runs[0].images for other in alike):
        return None
    return alike[-1] if alike else None


def table(rows: list[Row]) -> str:
    """Return table I: final accuracies of the paper's schemes, beside the published ones."""
    lines = []
    for scheme, name in published.NAMES.items():
        for row in rows:
            accuracy = row.published_accuracy
            if accuracy is None or row.scheme != scheme or row.mean(row.headline) is None:
                continue
            papers, ours = f"{100 * accuracy:.2f}", percent(row, row.headline)
            settings = row.protocol or "as in the paper"
            lines.append([name, papers, ours, str(len(row.runs)), settings])
    heads = ["scheme", "paper, %", "ours, %", "seeds", "settings"]
    title = f"Final test accuracy at {published.IMBALANCE} (table I)"
    return _section(title, "", _table(heads, lines) if lines else "")


def contents(rows: list[Row]) -> str:
    """Return fig. 9: the operations of the cells; another section of the page draws the cells."""
    lines = []
    for row in rows:
        counts = operations(row.runs[0])
        if row.imbalance == published.IMBALANCE and row.scheme in published.NAMES and counts:
            lines.append([row.name, *counts])
    if not lines:
        return ""
    cells = published.CELLS
    papers = [f"{cells['name']} in the paper", cells["normal"], cells["reduce"]]
    title = f"Operations of the cells at {published.IMBALANCE} (fig. 9)"
    heads = ["scheme", "normal cell", "reduction cell"]
    return _section(title, "", _table(heads, [papers, *lines]))


def operations(run: Run) -> list[str]:
    """Return the counted operations of the normal and of the reduction cell, as text.

    The list is empty if the run has no readable genotype, or one of other cells.
    """
    path = run.folder / "genotype.json"
    try:
        genotype = parse_genotype(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError, UserError):
        return []
    return list(counted_operations(genotype).values()) if genotype.macro == "cells" else []


def counted_operations(genotype: Genotype) -> dict[str, str]:
    """Return the operations of each kind of cell with their numbers, as text."""
    found = {}
    for kind, cell in genotype.cells.items():
        numbers = Counter(edge.operation.replace("_", " ") for edge in cell.edges)
        found[kind] = ", ".join(f"{number} {name}" for name, number in sorted(numbers.items()))
    return found


def _table(heads: list[str], lines: list[list[str]]) -> str:
    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(row(line, "td") for line in lines)
    return f'<div class="scroll"><table>{row(heads, "th")}{body}</table></div>'


def _section(title: str, before: str, content: str) -> str:
    if not content:
        return ""
    return (
        f'<section class="paper"><h2>{html.escape(title)}</h2>{before}'
        f'<div class="panels">{content}</div></section>'
    )
