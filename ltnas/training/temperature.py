"""Temperature of a trained network's probabilities, fitted to images that it has not learned from.

Networks are more confident than they are right. Their logits are divided by one number, which does
not change what they predict (Guo et al. 2017, section 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ltnas.data.long_tail import LongTail
from ltnas.data.module import TestBatches
from ltnas.data.placement import OnHost
from ltnas.data.stream import Batch
from ltnas.data.test_sets import LONG_TAILED, VALIDATION
from ltnas.models.branches import BranchedModel
from ltnas.training.evaluation import calibration_error

LOWEST, HIGHEST = 0.05, 20.0
"""Range of temperatures; a network that is never right or never wrong has none of its own."""
HALVINGS = 24
"""Number of times that the range is halved: the result is exact to six digits."""
PART = 2**22
"""Largest number of logits that are computed with at a time."""


def fit_temperature(logits: Tensor, labels: Tensor, shift: Tensor) -> float:
    """Return the temperature T with the smallest cross-entropy of softmax(logits / T + shift).

    The cross-entropy is a convex function of 1 / T. Its derivative grows with 1 / T, and is 0 at
    the minimum, which is found by bisection.

    Args:
        logits: [N, C].
        labels: class numbers, int64 [N].
        shift: logarithms of the class frequencies of these images over those that the network's
            probabilities assume, [C]. Without it, a network of balanced predictions would be blamed
            for the frequencies of long-tailed images.
    """
    own = logits.gather(1, labels[:, None]).double().sum()

    def derivative(inverse: float) -> float:
        sums = []
        for part in in_parts(logits):
            shares = (part * inverse + shift.double()).softmax(1)
            sums.append((shares * part).sum())
        return float(torch.stack(sums).sum() - own)

    low, high = -math.log(HIGHEST), -math.log(LOWEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if derivative(math.exp(middle)) > 0:
            high = middle
        else:
            low = middle
    return math.exp(-(low + high) / 2)


def calibrated(
    network: BranchedModel, prior: Sequence[float], long_tail: LongTail
) -> dict[str, Any]:
    """Fit the temperature of a network on its images for validation.

    Args:
        network: trained network, on the device that computes.
        prior: class frequencies that its probabilities assume, [C].
        long_tail: data set with images for validation.

    Returns:
        `temperature`, and the calibration error of each set of images before and after.
    """
    assert long_tail.validation is not None
    device = next(network.parameters()).device
    sets = [OnHost(data, device) for data in (long_tail.tested_images, long_tail.validation)]
    test, validation = (
        logits_of(network, TestBatches([data], long_tail.normalisation)) for data in sets
    )
    counts = validation[1].bincount(minlength=len(prior)).double()
    # Classes without images for validation are never right there; they stay possible.
    shift = ((counts + 1) / (counts + 1).sum()).log() - torch.tensor(prior).double().log()
    temperature = fit_temperature(*validation, shift)
    tests = long_tail.test_sets
    parts = {tests.name: test}
    if tests.long_tailed is not None:
        parts[LONG_TAILED] = (test[0][tests.long_tailed], test[1][tests.long_tailed])
    parts[VALIDATION] = validation
    errors = {
        name: {
            "before": error_at(logits, labels, 1.0),
            "after": error_at(logits, labels, temperature),
        }
        for name, (logits, labels) in parts.items()
    }
    return {"temperature": temperature, "calibration_error": errors}


@torch.no_grad()
def logits_of(network: BranchedModel, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Return logits [N, C] and class numbers [N] of all images, on the CPU."""
    learns = network.training
    network.eval()
    pairs = [(network(batch.views[0]).float().cpu(), batch.labels.cpu()) for batch in batches]
    network.train(learns)
    logits, labels = zip(*pairs, strict=True)
    return torch.cat(logits), torch.cat(labels)


def error_at(logits: Tensor, labels: Tensor, temperature: float) -> float:
    """Return the expected calibration error of softmax(logits / temperature), in [0, 1]."""
    confidences = [(part / temperature).softmax(1).amax(1) for part in in_parts(logits)]
    return calibration_error(torch.cat(confidences), logits.argmax(1) == labels)


def in_parts(logits: Tensor) -> Iterator[Tensor]:
    """Yield the rows of logits [N, C] in parts, in float64: all of them may take gigabytes."""
    for part in logits.split(max(1, PART // logits.shape[1])):
        yield part.double()
