"""When a search has collapsed, by the history of its epochs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ltnas.config import Collapse

WINDOW = 5
"""Epochs over which the curvature is averaged, and how far back it is compared."""
FEWEST = 2
"""Measurements in each window, where not every epoch has one."""
GROWTH = 0.75
"""The mean before, over the mean now: below it the curvature has grown too fast."""


class Collapsed(NamedTuple):
    """Why, and the last epoch before."""

    reason: str
    healthy_epoch: int


def collapsed(rows: Sequence[Mapping[str, object]], rule: Collapse) -> Collapsed | None:
    """Whether the last of these epochs shows a collapse; None if not.

    Two signs: the normal cell is made of skip connections (DARTS+, Liang et al. 2019), for some
    epochs in a row, and the largest eigenvalue of the Hessian has grown (early stopping of Zela
    et al. 2020, section 4.3; theirs is measured in each epoch).

    Args:
        rows: of the history, all epochs so far.
        rule: what counts.
    """
    return _skips(rows, rule) or _curvature(rows)


def _skips(rows: Sequence[Mapping[str, object]], rule: Collapse) -> Collapsed | None:
    shares = [float(str(row["skip_share_normal"])) for row in rows]
    healthy = max(
        (epoch for epoch, share in enumerate(shares) if share < rule.skip_share), default=-1
    )
    if len(rows) - 1 - healthy < rule.patience:
        return None
    return Collapsed(
        f"{100 * shares[-1]:.0f} % of the normal cell's operations are skip connections, for "
        f"{len(rows) - 1 - healthy} epochs now",
        max(healthy, 0),
    )


def _curvature(rows: Sequence[Mapping[str, object]]) -> Collapsed | None:
    measured = [
        (epoch, float(str(row["largest_eigenvalue"])))
        for epoch, row in enumerate(rows)
        if "largest_eigenvalue" in row
    ]
    if len(measured) < 2 * FEWEST or measured[-1][0] != len(rows) - 1:
        return None
    apart = measured[-1][0] - measured[-2][0]
    window = max(FEWEST, -(-WINDOW // apart))
    if len(measured) < 2 * window:
        return None
    values = [value for _, value in measured]
    before, now = (
        statistics.mean(values[-2 * window : -window]),
        statistics.mean(values[-window:]),
    )
    if not 0 < before < GROWTH * now:  # what is negative, or no number, says nothing of growth
        return None
    return Collapsed(
        f"the largest eigenvalue of the architecture's Hessian has grown from {before:.3g} to "
        f"{now:.3g}",
        measured[-1 - window][0],
    )
