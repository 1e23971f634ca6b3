"""Learners of a search with several levels, as the page shows them."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from ltnas.runs.columns import other_learners


def learners(folder: Path) -> list[list[str]]:
    """Return the name of each learner of a search, and its training loss and accuracy at the end.

    Args:
        folder: run folder of the search.

    Returns:
        A pair of texts for each learner, the supernet first; an empty list for a search of the
        supernet alone, or whose history cannot be read.
    """
    try:
        with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
            *_, last = csv.DictReader(file)
        others = other_learners(last)
        if not others:
            return []
        numbers = [("supernet", last["train_loss"], last["train_accuracy"])]
        numbers += [(name, last[f"{name}_loss"], last[f"{name}_accuracy"]) for name in others]
        return [
            [name.replace("_", " "), _text(float(loss), float(accuracy))]
            for name, loss, accuracy in numbers
        ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []


def _text(loss: float, accuracy: float) -> str:
    """Return a loss and an accuracy in [0, 1] as text."""
    if not math.isfinite(loss):
        return "diverged"
    return f"training loss {loss:.3f}, accuracy {100 * accuracy:.1f} %"
