"""The experiments of arXiv 2406.16949 as far as runs show them, the paper's values beside ours."""

from __future__ import annotations

import html
from collections import defaultdict

from ltnas.reports import figures
from ltnas.reports.curves import curve
from ltnas.reports.rows import PUBLISHED, PUBLISHED_AT, Row
from ltnas.reports.runs import Run

NAMES = {"darts": "DARTS", "fairdarts": "FairDARTS", "fairdarts_ssl": "SSF-NAS"}
TEST_SETS = {"balanced": "balanced test set", "long_tailed": "long-tailed test set"}
LOSSES = "12.57 to 38.01"
"""Points that long tails cost on the balanced test set, section IV-D1."""


def sections(rows: list[Row], runs: list[Run]) -> str:
    """Figs. 6 to 8 and table I as HTML; what there is no run for is left out."""
    return distributions(runs) + supernets(runs) + losses(rows) + table(rows)


def distributions(runs: list[Run]) -> str:
    """Fig. 6: images of each class, for each imbalance."""
    counts = {
        run.metrics["imbalance"]: run.metrics["data"]["class_counts"]
        for run in runs
        if run.state == "finished" and are_counts(run.metrics["data"].get("class_counts"))
    }
    panels = "".join(figures.bars(found, name) for name, found in sorted(counts.items()))
    return _section("Training images of each class (fig. 6)", "", panels)


def are_counts(value: object) -> bool:
    """Whether a result's counts are such."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(count, int) and count > 0 for count in value)
    )


def supernets(runs: list[Run]) -> str:
    """Fig. 7: what supernets reach during their searches."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.state == "finished" and run.kind == "search":
            groups[f"{run.metrics['scheme']} {run.metrics['imbalance']}"].append(run)
    panels, names = "", []
    for test_set, title in TEST_SETS.items():
        found = {
            name: curve([run.folder for run in members], f"accuracy_{test_set}")
            for name, members in sorted(groups.items())
        }
        series = {name: values for name, values in found.items() if values}
        names = list(series)
        panels += figures.lines(series, title)
    return _section("Accuracy of the supernet by epoch (fig. 7)", figures.legend(names), panels)


def losses(rows: list[Row]) -> str:
    """Fig. 8: what a long tail costs a scheme that is searched and trained on it."""
    full = {
        (row.scheme, row.label): row.mean("accuracy_balanced")
        for row in rows
        if row.imbalance == "balance"
    }
    lines = []
    for row in rows:
        before, now = full.get((row.scheme, row.label)), row.mean("accuracy_balanced")
        if row.imbalance != "balance" and before is not None and now is not None:
            name = f"{row.scheme} {row.label}".strip()
            lines.append(
                [name, row.imbalance, f"{100 * before:.2f}", f"{100 * now:.2f}",
                 f"{100 * (before - now):.2f}"]
            )  # fmt: skip
    hint = f"<p class=hint>On the balanced test set; the paper's DARTS loses {LOSSES} points.</p>"
    heads = ["scheme", "imbalance", "balanced data, %", "long-tailed data, %", "points lost"]
    return _section("What a long tail costs (fig. 8)", hint, _table(heads, lines) if lines else "")


def table(rows: list[Row]) -> str:
    """Table I: final test accuracy of the schemes at exp0.1, trained by the paper's recipe."""
    lines = []
    for scheme, name in NAMES.items():
        found = [row for row in rows if row.published is not None and row.scheme == scheme]
        for row in found:
            mean = row.mean("accuracy_balanced")
            if mean is None:
                continue
            deviation = row.deviation("accuracy_balanced")
            spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
            how = " ".join(filter(None, [row.label, row.protocol])) or "as in the paper"
            published = f"{100 * PUBLISHED[scheme]:.2f}"
            seeds = str(len(row.runs))
            lines.append([name, published, f"{100 * mean:.2f}{spread}", seeds, how])
    heads = ["scheme", "paper, %", "ours, %", "seeds", "how"]
    title = f"Final test accuracy at {PUBLISHED_AT} (table I)"
    return _section(title, "", _table(heads, lines) if lines else "")


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
