"""What the benchmarks compare is the same computation."""

import sys

import torch
from conftest import REPOSITORY

sys.path.append(str(REPOSITORY))

from benchmarks.search_step import CLASSES, DEFAULTS, build, last
from ltnas.data.stream import Batch


def test_two_searches_in_float64_stay_together():
    """In float32 rounding grows fivefold a step."""
    plain, ours = build("darts", {**DEFAULTS, "channels": "4", "cells": "3"})
    plain.model.double()
    ours.double().learner.to(memory_format=torch.channels_last)
    torch.manual_seed(1)
    before = [x.detach().clone() for x in plain.architecture]
    for _ in range(12):
        architecture, weights = (
            Batch((torch.randn(8, 3, 16, 16).double(),), torch.randint(CLASSES, (8,))) for _ in "ab"
        )
        plain.architecture_step(architecture)
        loss = plain.weight_step(weights)
        ours.architecture_step(last(architecture))
        ours.weight_step(last(weights))
        assert abs(loss - ours.latest()["train_loss"]) < 1e-6
    pairs = zip(before, plain.architecture, ours.supernet.architecture.values(), strict=True)
    for start, theirs, own in pairs:
        assert (theirs - own).abs().max() < 1e-12
        assert (theirs - start).abs().max() > 1e-4
