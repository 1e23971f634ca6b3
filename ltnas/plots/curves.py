"""Training loss and accuracies over the epochs of a run."""

from __future__ import annotations

import csv
from itertools import cycle

from ltnas.data.test_sets import BALANCED, LONG_TAILED, VALIDATION, all_images, headline, title
from ltnas.plots.figure import FAINT, INK, new_figure, save
from ltnas.plots.stage_lines import first_epochs, mark_stages
from ltnas.runs.columns import other_learners
from ltnas.runs.folder import RunFolder

COLOURS = {"train": "#22262b", "test": "#0072b2", "long_tailed": "#e69f00", "validation": "#8a6fb5"}
"""Colour of the training, of all test images, and of the long-tailed test set."""
OTHERS = ("#009e73", "#cc79a7", "#56b4e9")
"""Colours of the learners beside the first one, in turn."""


def plot_curves(folder: RunFolder) -> None:
    """Draw history.csv to curves.png: training loss on the left, accuracies on the right.

    On test images that are not balanced, the accuracy is the mean of the classes' accuracies.
    """
    with (folder.path / "history.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    figure = new_figure(9, 3.4)
    left, right = figure.subplots(1, 2)
    lines = {left: losses(list(rows[0])), right: accuracies(list(rows[0]))}
    for panel, curves in lines.items():
        for colour, label, column in curves:
            scale = 1 if panel is left else 100  # accuracies in per cent
            # Empty in epochs without a test, and in those of an earlier version with other names.
            points = [
                (epoch, scale * float(row[column]))
                for epoch, row in zip(epochs, rows, strict=True)
                if row[column]
            ]
            panel.plot(
                *zip(*points, strict=True),
                color=colour,
                linewidth=1.8,
                label=label,
                marker="o" if len(points) < 3 else "",
            )
        mark_stages(panel, first_epochs(rows))
        panel.set_title("training loss" if panel is left else "accuracy, %", loc="left", color=INK)
        panel.set_xlabel("epoch", color=INK)
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(FAINT)
        panel.xaxis.get_major_locator().set_params(integer=True)
    right.legend(frameon=False)
    if len(lines[left]) > 1:
        left.legend(frameon=False)
    save(figure, folder, "curves.png")


def losses(columns: list[str]) -> list[tuple[str, str, str]]:
    """Return colour, label and column of each curve of training losses, of a history's columns."""
    others = other_learners(columns)
    return [
        (COLOURS["train"], "supernet" if others else "train", "train_loss"),
        *_of_others(columns, "loss"),
    ]


def accuracies(columns: list[str]) -> list[tuple[str, str, str]]:
    """Return colour, label and column of each curve of accuracies, of a history's columns."""
    name = all_images([column.removeprefix("accuracy_") for column in columns])
    label = title(name) if name == BALANCED else "test, mean over classes"
    curves = [
        (COLOURS["train"], "train", "train_accuracy"),
        *_of_others(columns, "accuracy"),
        (COLOURS["test"], label, f"{headline(name)}_{name}"),
        (COLOURS[LONG_TAILED], title(LONG_TAILED), f"accuracy_{LONG_TAILED}"),
        (COLOURS[VALIDATION], "validation, mean over classes", f"macro_accuracy_{VALIDATION}"),
    ]
    return [curve for curve in curves if curve[2] in columns]


def _of_others(columns: list[str], quantity: str) -> list[tuple[str, str, str]]:
    """Return the curves of a quantity of the learners beside the first one."""
    return [
        (colour, name.replace("_", " "), f"{name}_{quantity}")
        for colour, name in zip(cycle(OTHERS), other_learners(columns), strict=False)
    ]
