"""Random seeds and generators that are functions of a key."""

from __future__ import annotations

import numpy as np
import torch


def derived_seed(*key: int) -> int:
    """Return a seed below 2^63 for a key of non-negative integers.

    Different keys give independent seeds (`numpy.random.SeedSequence`), except that keys of fewer
    than four numbers are padded with zeros: (0, 1) and (0, 1, 0) give the same seed.
    """
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*key: int) -> torch.Generator:
    """Return a CPU generator seeded with `derived_seed(*key)`."""
    return torch.Generator().manual_seed(derived_seed(*key))
