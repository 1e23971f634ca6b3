"""Training loss and accuracies over the epochs of a run."""

from __future__ import annotations

import csv

from ltnas.plots.figure import FAINT, INK, new_figure, save
from ltnas.runs.folder import RunFolder

COLOURS = {"train": "#22262b", "balanced": "#0072b2", "long_tailed": "#e69f00"}


def plot_curves(folder: RunFolder) -> None:
    """Draw history.csv to curves.png: training loss on the left, accuracies on the right."""
    with (folder.path / "history.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    figure = new_figure(9, 3.4)
    left, right = figure.subplots(1, 2)
    lines = {  # panel -> label -> column of history.csv
        left: {"train": "train_loss"},
        right: {
            "train": "train_accuracy",
            "balanced": "accuracy_balanced",
            "long_tailed": "accuracy_long_tailed",
        },
    }
    for panel, columns in lines.items():
        for label, column in columns.items():
            scale = 1 if panel is left else 100  # accuracies in per cent
            values = [scale * float(row[column]) for row in rows]
            name = label if label == "train" else f"{label.replace('_', '-')} test"
            panel.plot(
                epochs,
                values,
                color=COLOURS[label],
                linewidth=1.8,
                label=name,
                marker="o" if len(epochs) < 3 else "",
            )
        panel.set_title("training loss" if panel is left else "accuracy, %", loc="left", color=INK)
        panel.set_xlabel("epoch", color=INK)
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(FAINT)
        panel.xaxis.get_major_locator().set_params(integer=True)
    right.legend(frameon=False)
    save(figure, folder, "curves.png")
