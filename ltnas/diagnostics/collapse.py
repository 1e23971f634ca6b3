"""Detection of a collapsed search from the history of its epochs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ltnas.config import Collapse

Rows = Sequence[Mapping[str, float]]
"""History of all epochs so far, one row for each."""
WINDOW = 5
"""Number of epochs over which the curvature is averaged, and how many epochs lie between means."""
FEWEST = 2
"""Smallest number of measurements in each window, if not every epoch has one."""
GROWTH = 0.75
"""Smallest ratio of the earlier mean curvature to the present one that is still healthy."""


class Collapsed(NamedTuple):
    """Reason of a collapse, and the last epoch before it."""

    reason: str
    healthy_epoch: int


def collapsed(rows: Rows, rule: Collapse) -> Collapsed | None:
    """Return the collapse that the last epoch shows, or None if the search is healthy.

    A search has collapsed if one of the rules in `rule.rules` says so: `skips`, skip connections
    have been a large share of the normal cell for several epochs in a row (DARTS+, Liang et al.
    2019), or `eigenvalue`, the largest eigenvalue of the Hessian has grown (early stopping of Zela
    et al. 2020, section 4.3, who measure it in each epoch).

    Args:
        rows: history of all epochs so far.
        rule: rules in use and their thresholds.
    """
    first = _first_epoch(rows)
    for name in rule.rules:
        found = RULES[name](rows[first:], rule)
        if found is not None:
            return found._replace(healthy_epoch=found.healthy_epoch + first)
    return None


def _first_epoch(rows: Rows) -> int:
    """Return the first epoch that counts: that of the first architecture step of the last stage.

    Before it the genotype is that of the initial parameters, and the eigenvalue moves because the
    weights do. A rate of 0 later on is that of a schedule. Stages have networks of their own.
    """
    stage = rows[-1].get("stage") if rows else None
    moving = (
        epoch
        for epoch, row in enumerate(rows)
        if row.get("stage") == stage and row.get("architecture_rate") != 0
    )
    return next(moving, len(rows))


def _skip_connections(rows: Rows, rule: Collapse) -> Collapsed | None:
    shares = [row["skip_share_normal"] for row in rows]
    healthy = max(
        (epoch for epoch, share in enumerate(shares) if share < rule.skip_share), default=-1
    )
    epochs = len(rows) - 1 - healthy
    if epochs < rule.patience:
        return None
    return Collapsed(
        f"{100 * shares[-1]:.0f} % of the normal cell's operations are skip connections, for "
        f"{epochs} epochs now",
        max(healthy, 0),
    )


def _curvature_growth(rows: Rows, rule: Collapse) -> Collapsed | None:
    measured = [
        (epoch, row["largest_eigenvalue"])
        for epoch, row in enumerate(rows)
        if "largest_eigenvalue" in row
    ]
    if len(measured) < 2 * FEWEST or measured[-1][0] != len(rows) - 1:
        return None
    # The window holds as many measurements as fall into WINDOW epochs, but at least FEWEST.
    interval = measured[-1][0] - measured[-2][0]
    window = max(FEWEST, -(-WINDOW // interval))
    if len(measured) < 2 * window:
        return None
    values = [value for _, value in measured]
    before = statistics.mean(values[-2 * window : -window])
    now = statistics.mean(values[-window:])
    if not 0 < before < GROWTH * now:  # a mean that is negative or not finite shows no growth
        return None
    return Collapsed(
        f"the largest eigenvalue of the architecture's Hessian has grown from {before:.3g} to "
        f"{now:.3g}",
        measured[-1 - window][0],
    )


RULES: dict[str, Callable[[Rows, Collapse], Collapsed | None]] = {
    "skips": _skip_connections,
    "eigenvalue": _curvature_growth,
}
"""Rules by their names in `collapse.rules`; those of one stage, from its first step on."""
