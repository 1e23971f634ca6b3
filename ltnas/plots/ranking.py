"""Pictures of a ranking: ranks of genotypes by each proxy, and accuracies over scores."""

from __future__ import annotations

import csv
import math
from typing import Any

from ltnas.plots.figure import FAINT, INK, new_figure, save
from ltnas.runs.folder import RunFolder, without_time

Row = dict[str, str]
AGREEMENT = ("accuracy.svg", "accuracy.png")
"""Pictures of `plot_agreement`."""
LONGEST = 40
"""Largest number of characters of a name."""
MOST = 40
"""Largest number of genotypes that a picture names; the first ones are shown."""


def plot_ranking(folder: RunFolder, proxies: list[str]) -> None:
    """Draw rank.csv to rank.svg and rank.png: the rank of each genotype by each proxy.

    Args:
        folder: folder of the file.
        proxies: columns to draw.
    """
    rows = read_rows(folder)
    names = [without_time(row["genotype"])[:LONGEST] for row in rows[:MOST]]
    width = 1.2 + 0.075 * max(map(len, names)) + 0.55 * max(3, len(proxies))
    figure = new_figure(width, 1.6 + 0.28 * len(names))
    panel = figure.subplots()
    # [genotypes, proxies]: the best is 1 and dark.
    table = [[float(row[f"{proxy}_rank"]) for proxy in proxies] for row in rows[:MOST]]
    panel.imshow(table, cmap="Blues_r", vmin=1, vmax=1.4 * max(2, len(rows)), aspect="auto")
    for y, row in enumerate(table):
        for x, rank in enumerate(row):
            colour = "white" if rank <= 0.6 * len(rows) else INK
            panel.text(x, y, f"{rank:g}", ha="center", va="center", fontsize=8, color=colour)
    panel.set_yticks(range(len(names)), names, fontsize=8, color=INK)
    panel.set_xticks(range(len(proxies)), proxies, rotation=40, ha="right", fontsize=8, color=INK)
    panel.set_title("rank by each proxy, 1 is best", loc="left", fontsize=10, color=INK)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    for name in ("rank.svg", "rank.png"):
        save(figure, folder, name)


def plot_agreement(folder: RunFolder, taus: dict[str, float | None]) -> None:
    """Draw rank.csv to accuracy.svg and accuracy.png: one panel for each proxy.

    Args:
        folder: folder of the file.
        taus: Kendall's tau of each proxy that is drawn; None: not defined.
    """
    rows = read_rows(folder)
    columns = min(5, len(taus))
    lines = -(-len(taus) // columns)
    figure = new_figure(2.0 * columns, 1.8 * lines + 0.4)
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for panel, (proxy, tau) in zip(panels, taus.items(), strict=False):
        panel.plot(*zip(*points(rows, proxy), strict=True), "o", color="#0072b2", markersize=4)
        value = "-" if tau is None else f"{tau:+.2f}"
        panel.set_title(f"{proxy}  τ {value}", loc="left", fontsize=8, color=INK)
        _style(panel)
    for panel in panels[len(taus) :]:
        panel.axis("off")
    figure.supxlabel("score", fontsize=9, color=INK)
    figure.supylabel("accuracy, %", fontsize=9, color=INK)
    for name in AGREEMENT:
        save(figure, folder, name)


def read_rows(folder: RunFolder) -> list[Row]:
    """Return the lines of rank.csv."""
    with (folder.path / "rank.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def points(rows: list[Row], proxy: str) -> list[tuple[float, float]]:
    """Return score and accuracy in per cent of the rows that have both, and a finite score."""
    pairs = [(float(row[proxy]), row["accuracy"]) for row in rows]
    return [(score, 100 * float(text)) for score, text in pairs if text and math.isfinite(score)]


def _style(panel: Any) -> None:  # noqa: ANN401 - matplotlib has no types
    panel.tick_params(labelsize=7, colors=INK)
    panel.xaxis.get_major_locator().set_params(nbins=3)
    panel.xaxis.get_offset_text().set_fontsize(6)
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(FAINT)
