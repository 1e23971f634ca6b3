"""Names of the numbers of a history on a dashboard."""

from __future__ import annotations

SECTIONS = {
    "train": "train",
    "learning": "train",
    "architecture": "architecture",
    "entropy": "architecture",
    "skip": "architecture",
    "parametric": "architecture",
    "discretisation": "architecture",
    "largest": "architecture",
    "collapsed": "architecture",
    "seconds": "cost",
    "peak": "cost",
}
"""Where a dashboard shows a column of the history, by its first word; tests have their own."""


def shown_as(column: str) -> str:
    """A column of the history by the name that it has on a dashboard, its section first.

    `accuracy_balanced` is `test_balanced/accuracy`, `train_loss` is `train/loss`.
    """
    for test_set in ("balanced", "long_tailed"):
        if column.endswith(f"_{test_set}"):
            return f"test_{test_set}/{column.removesuffix(f'_{test_set}')}"
    section = SECTIONS.get(column.partition("_")[0])
    return f"{section}/{column.removeprefix(f'{section}_')}" if section else column
