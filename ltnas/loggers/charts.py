"""Names of the columns of a history on a dashboard."""

from __future__ import annotations

from ltnas.data.test_sets import BALANCED, LONG_TAILED, UNBALANCED, VALIDATION

SECTIONS = {
    "train": "train",
    "learning": "train",
    "student": "train",
    "audience": "train",
    "learner": "train",
    "architecture": "architecture",
    "entropy": "architecture",
    "skip": "architecture",
    "parametric": "architecture",
    "discretisation": "architecture",
    "largest": "architecture",
    "collapsed": "architecture",
    "temperature": "architecture",
    "auxiliary": "architecture",
    "stage": "architecture",
    "perturbation": "architecture",
    "frozen": "architecture",
    "seconds": "cost",
    "peak": "cost",
}
"""First word of a column of the history -> dashboard section; sets of images have their own."""
TEST_SECTIONS = {
    BALANCED: f"test_{BALANCED}",
    LONG_TAILED: f"test_{LONG_TAILED}",
    UNBALANCED: "test",
    VALIDATION: VALIDATION,
}
"""Name of a set of images, the last word of its columns -> dashboard section."""


def chart_name(column: str) -> str:
    """Return the name of a column of the history on a dashboard, with its section first.

    `accuracy_balanced` becomes `test_balanced/accuracy`, `train_loss` becomes `train/loss`.
    """
    for test_set, section in TEST_SECTIONS.items():
        if column.endswith(f"_{test_set}"):
            return f"{section}/{column.removesuffix(f'_{test_set}')}"
    group = SECTIONS.get(column.partition("_")[0])
    return f"{group}/{column.removeprefix(f'{group}_')}" if group else column
