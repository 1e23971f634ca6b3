"""Names in the columns of a history."""

from __future__ import annotations

from collections.abc import Collection


def other_learners(columns: Collection[str]) -> list[str]:
    """Return the names of the learners beside the first one, of a history's columns.

    Each learner has a training loss and an accuracy: those of `student` are `student_loss` and
    `student_accuracy`. The first one is called `train`.
    """
    names = [column.removesuffix("_loss") for column in columns if column.endswith("_loss")]
    return [name for name in names if name != "train" and f"{name}_accuracy" in columns]
