"""The decay of the auxiliary skip connection."""

import math

import pytest

from ltnas import config as c
from ltnas.axes.auxiliary_skip import build_auxiliary_skip

EPOCHS = 50
FORMULAS = {
    c.LinearSkip: lambda e: 1 - e / EPOCHS,
    c.CosineSkip: lambda e: (1 + math.cos(math.pi * e / EPOCHS)) / 2,
    c.SlowCosineSkip: lambda e: math.cos(math.pi * e / (2 * EPOCHS)),
    c.ConstantSkip: lambda e: 1.0,
}


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize("epoch", [0, 25, 49])
def test_decays(kind, epoch):
    module = build_auxiliary_skip(kind(strength=0.7))
    module.set_epoch(epoch, EPOCHS)
    assert float(module.strength) == pytest.approx(0.7 * FORMULAS[kind](epoch))


def test_the_linear_decay_does_not_reach_zero():
    module = build_auxiliary_skip(c.LinearSkip())
    module.set_epoch(49, 50)
    assert float(module.strength) == pytest.approx(0.02)
