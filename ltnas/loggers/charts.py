"""Names of the columns of a history on a dashboard."""

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
"""First word of a column of the history -> dashboard section; test sets have their own sections."""


def chart_name(column: str) -> str:
    """Return the name of a column of the history on a dashboard, with its section first.

    `accuracy_balanced` becomes `test_balanced/accuracy`, `train_loss` becomes `train/loss`.
    """
    for test_set in ("balanced", "long_tailed"):
        if column.endswith(f"_{test_set}"):
            return f"test_{test_set}/{column.removesuffix(f'_{test_set}')}"
    section = SECTIONS.get(column.partition("_")[0])
    return f"{section}/{column.removeprefix(f'{section}_')}" if section else column
