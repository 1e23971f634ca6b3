"""The experiments of arXiv 2406.16949 as far as runs show them, the paper's values beside ours."""

from __future__ import annotations

import html
import json
from collections import Counter, defaultdict

from ltnas.errors import UserError
from ltnas.reports import figures
from ltnas.reports.curves import curve
from ltnas.reports.labels import told_apart
from ltnas.reports.rows import PUBLISHED, PUBLISHED_AT, Row
from ltnas.reports.runs import Run
from ltnas.space.genotype import parse_genotype

NAMES = {"darts": "DARTS", "fairdarts": "FairDARTS", "fairdarts_ssl": "SSF-NAS"}
PAPERS_CELLS = ["convolutions alone", "convolutions and 2 max pool 3x3"]
"""What section IV-D2 says of fig. 9."""
TEST_SETS = {"balanced": "balanced test set", "long_tailed": "long-tailed test set"}
LOSSES = "12.57 to 38.01"
"""Points that long tails cost on the balanced test set, section IV-D1."""


def sections(rows: list[Row], runs: list[Run]) -> str:
    """Figs. 6 to 9 and table I as HTML; what there is no run for is left out."""
    return distributions(runs) + supernets(runs) + losses(rows) + table(rows) + contents(rows)


def distributions(runs: list[Run]) -> str:
    """Fig. 6: images of each class, for each imbalance."""
    found = set()
    for run in runs:
        data = run.metrics.get("data", {})
        if are_counts(data.get("class_counts")):
            found.add((run.metrics["imbalance"], data["source"], tuple(data["class_counts"])))
    names = Counter(imbalance for imbalance, _, _ in found)
    panels = "".join(
        figures.bars(counts, imbalance if names[imbalance] == 1 else f"{imbalance}, {source}")
        for imbalance, source, counts in sorted(found)
    )
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
    groups = named_searches(runs)
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


def named_searches(runs: list[Run]) -> dict[str, list[Run]]:
    """Finished searches that differ in their seeds alone, by scheme, imbalance and what else."""
    groups: dict[str, dict[object, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run.state == "finished" and run.kind == "search":
            name = f"{run.metrics['scheme']} {run.metrics['imbalance']}"
            groups[name][run.key].append(run)
    named: dict[str, list[Run]] = {}
    for name, members in groups.items():
        words = told_apart([found[0].settings for found in members.values()])
        for own, found in zip(words, members.values(), strict=True):
            label = f"{name} {own}".strip()
            # What differs may be a setting that one of them, of another version, does not have.
            named[f"{label} ({len(named) + 1})" if label in named else label] = found
    return named


def losses(rows: list[Row]) -> str:
    """Fig. 8: what a long tail costs a scheme that is searched and trained on it."""
    full = {
        row.apart_from_imbalance: row.mean("accuracy_balanced")
        for row in rows
        if row.imbalance == "balance"
    }
    lines = []
    for row in rows:
        before, now = full.get(row.apart_from_imbalance), row.mean("accuracy_balanced")
        if row.imbalance != "balance" and before is not None and now is not None:
            lines.append(
                [row.name, row.imbalance, f"{100 * before:.2f}", f"{100 * now:.2f}",
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
            how = row.protocol or "as in the paper"
            published = f"{100 * PUBLISHED[scheme]:.2f}"
            seeds = str(len(row.runs))
            lines.append([name, published, f"{100 * mean:.2f}{spread}", seeds, how])
    heads = ["scheme", "paper, %", "ours, %", "seeds", "how"]
    title = f"Final test accuracy at {PUBLISHED_AT} (table I)"
    return _section(title, "", _table(heads, lines) if lines else "")


def contents(rows: list[Row]) -> str:
    """Fig. 9: what the cells are made of; the page draws the cells themselves further up."""
    lines = []
    for row in rows:
        found = operations(row.runs[0])
        if row.imbalance == PUBLISHED_AT and row.scheme in NAMES and found:
            lines.append([row.name, *found])
    if not lines:
        return ""
    heads = ["scheme", "normal cell", "reduction cell"]
    return _section(
        f"What the cells at {PUBLISHED_AT} are made of (fig. 9)",
        "",
        _table(heads, [["SSF-NAS in the paper", *PAPERS_CELLS], *lines]),
    )


def operations(run: Run) -> list[str]:
    """Of the normal and of the reduction cell, with their numbers; empty if they are not known."""
    path = run.folder / "genotype.json"
    try:
        genotype = parse_genotype(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError, UserError):
        return []
    counts = (
        Counter(edge.operation.replace("_", " ") for edge in genotype.cell(kind).edges)
        for kind in ("normal", "reduce")
    )
    return [
        ", ".join(f"{number} {name}" for name, number in sorted(found.items())) for found in counts
    ]


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
