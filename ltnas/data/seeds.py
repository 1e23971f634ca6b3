"""Random streams as functions of a key."""

from __future__ import annotations

import numpy as np
import torch


def derived_seed(*key: int) -> int:
    """A seed below 2^63 for each key of non-negative integers; keys that differ, differ."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*key: int) -> torch.Generator:
    """A CPU generator whose stream is a function of the key alone; keys that differ, differ."""
    return torch.Generator().manual_seed(derived_seed(*key))
