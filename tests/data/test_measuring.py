"""Images on which architectures are measured."""

import numpy as np
import torch
from composed import composed

from ltnas.data.long_tail import load_long_tail
from ltnas.data.measuring import measuring_batches


def test_batches_are_standardised_and_of_equal_size():
    config = composed("search")
    long_tail = load_long_tail(config.data, config.imbalance)
    positions = np.arange(10)[::-1].copy()
    batches = measuring_batches(long_tail, positions, size=4, device=torch.device("cpu"))
    assert [len(batch.labels) for batch in batches] == [4, 3, 3]
    labels = torch.cat([batch.labels for batch in batches])
    assert torch.equal(labels, long_tail.train.labels[:10].flip(0))
    pixels = long_tail.train.images[9].float() / 255
    mean, std = (
        torch.tensor(values).view(3, 1, 1)
        for values in (long_tail.normalisation.mean, long_tail.normalisation.std)
    )
    torch.testing.assert_close(batches[0].views[0][0], (pixels - mean) / std)
