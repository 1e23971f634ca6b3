"""Names in the columns of a history."""

from __future__ import annotations

import re
from collections.abc import Iterable


def other_learners(columns: Iterable[str]) -> list[str]:
    """Return the names of the learners beside the first one, of a history's columns.

    `student_loss` is the training loss of the learner `student`; `train_loss` is that of the first.
    """
    found = (re.fullmatch(r"(student|audience|learner_\d+)_loss", column) for column in columns)
    return [match[1] for match in found if match]
