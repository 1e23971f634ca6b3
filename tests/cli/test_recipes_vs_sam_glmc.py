"""Constants and rates of all epochs of `vs_sam` and `glmc`, typed again from the authors' code."""

import math

import pytest
from composed import settings

from ltnas import config as c
from ltnas.axes.schedules import weight_rate
from ltnas.runs.folder import RunFolder
from ltnas.training.stages import stages


def recipe(name, imbalance, *words):
    return settings(
        "retrain", "network=resnet32", f"recipe={name}", f"imbalance={imbalance}", *words
    )


VS_SAM = {
    "exp0.1": {"gamma": 0.0, "exponent": 0.1, "late": 0.1, "decay": 1e-4},
    "exp0.01": {"gamma": 0.05, "exponent": 0.15, "late": 0.2, "decay": 2e-4},
    "step0.1": {"gamma": 0.0, "exponent": 0.1, "late": 0.1, "decay": 1e-4},
}
"""Values of the commands in their bash_script.sh."""


@pytest.mark.parametrize("imbalance", VS_SAM)
def test_constants_of_vs_sam(imbalance):
    config, constants = recipe("vs_sam", imbalance), VS_SAM[imbalance]
    assert config.objective == c.VectorScaling(
        tau=1.0,
        gamma=constants["gamma"],
        multiplicative_end=0.8,
        reweight="inverse_frequency",
        exponent=constants["exponent"],
        start=0.8,
        weight_normalisation="batch",
    )
    assert config.weights.weight_decay == constants["decay"]
    assert (config.weights.momentum, config.weights.nesterov, config.weights.clip) == (
        *(0.9, False, None),
    )
    assert (config.epochs, config.batch_size, config.cutout) == (400, 128, 16)
    assert config.augmentation == c.AutoAugment(fill=128)
    assert (config.drop_path, config.auxiliary, config.adjust) == (0, 0, 0)
    (stage,) = stages(config, None)
    radii = [stage.sharpness.radius(epoch / 400) for epoch in range(400)]
    assert radii == [0.1] * 320 + [constants["late"]] * 80


def test_rates_of_vs_sam():
    """Theirs go on to 0.2 in epochs 6 to 10, where ours have reached 0.1."""
    config = recipe("vs_sam", "exp0.1")
    found = [weight_rate(config.weights, epoch, 400) for epoch in range(400)]
    expected = []
    for epoch in range(1, 401):
        rate = 0.1 * epoch / 5 if epoch <= 5 else 0.1
        rate = 0.1 * 0.01 if epoch > 320 else rate
        expected.append(0.1 * 0.0001 if epoch > 360 else rate)
    assert found == pytest.approx(expected)


GLMC = {"exp0.1": (2.0, 1.0, 0.2), "exp0.02": (1.0, 1.2, 0.0), "exp0.01": (1.0, 1.2, 0.0)}
"""gamma, the exponent of class weights and that of draws, of the commands in their README."""


@pytest.mark.parametrize("imbalance", GLMC)
def test_constants_of_glmc(imbalance):
    config, (consistency, exponent, draws) = recipe("glmc", imbalance), GLMC[imbalance]
    assert config.objective == c.MixtureConsistency(
        exponent=exponent,
        consistency=consistency,
        heads="linear",
        width=128,
        weight_normalisation="classes",
    )
    assert config.mix == c.MixupAndCutMix(1.0, drawn_for="batches", partner_exponent=draws)
    weights = config.weights
    assert (weights.momentum, weights.weight_decay, weights.nesterov) == (0.9, 5e-3, False)
    assert (config.epochs, config.batch_size, config.sharpness) == (200, 64, 0)
    assert (config.drop_path, config.auxiliary, config.cutout, weights.clip) == (0, 0, 0, None)


def test_rates_of_glmc():
    config = recipe("glmc", "exp0.01")
    found = [weight_rate(config.weights, epoch, 200) for epoch in range(200)]
    expected = [0.01 * (1 + math.cos(math.pi * epoch / 200)) / 2 for epoch in range(200)]
    assert found == pytest.approx(expected)


def test_second_stage_of_glmc_max_norm(tmp_path):
    """As in demo2_second-stage-training.py of Alshammari et al. 2022."""
    config = recipe("glmc_max_norm", "exp0.1")
    first, second = stages(config, RunFolder(tmp_path))
    assert (first.objective, first.mix) == (recipe("glmc", "exp0.1").objective, config.mix)
    assert (second.epochs, second.max_norm, second.fresh_classifier) == (10, 0.1, False)
    rates = [weight_rate(second.weights, epoch, 10) for epoch in range(10)]
    assert rates == pytest.approx([0.005 * (1 + math.cos(math.pi * e / 10)) for e in range(10)])
    weights = second.weights
    assert (weights.momentum, weights.weight_decay, weights.nesterov) == (0.9, 0.1, False)
    assert second.objective == c.ClassBalanced(beta=0.9999, weight_normalisation="classes")


@pytest.mark.parametrize("name", ["vs_sam", "glmc", "glmc_max_norm"])
def test_constants_can_be_changed(name):
    config = recipe(name, "exp0.01", "objective.exponent=0.7", "weights.weight_decay=0.5")
    assert (config.objective.exponent, config.weights.weight_decay) == (0.7, 0.5)
