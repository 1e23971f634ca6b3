"""Random streams as functions of a key."""

from __future__ import annotations

import numpy as np


def derived_seed(*key: int) -> int:
    """A seed below 2^63 for each key of non-negative integers; keys that differ, differ."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
