"""Sharpness-aware steps, measures of tests and rates, compared with values of official code."""

import functools

import pytest
import torch
import torch.nn.functional as F
from composed import settings
from official_inputs import COUNTS, LABELS, LOGITS, norm, numbers, waves
from torch import nn

from ltnas.axes.schedules import weight_rate
from ltnas.config import WeightOptimiser
from ltnas.data.test_sets import shot_groups
from ltnas.training.evaluation import calibration_error, confusion_matrix, counts_of, report
from ltnas.training.optimisation import sharpness_aware_descend, weight_optimiser

PLACES = torch.arange(200)
TRUE = 10 * PLACES**2 // 40_000
"""Classes of 200 test images, the first of which has most."""


def test_sharpness_aware_steps():
    """Values of davda54/sam, sam.py: distance, norm and a row of the weights after two steps."""
    start = 0.3 * waves(10, 10)
    weight = nn.Parameter(start.clone())
    optimiser = weight_optimiser([weight], WeightOptimiser(0.1, momentum=0.9, weight_decay=2e-4))

    def loss():
        return F.cross_entropy(LOGITS @ weight, LABELS)

    for _ in range(2):
        sharpness_aware_descend(loss(), loss, [[weight]], optimiser, clip=None, radius=0.1)
    found = [norm([weight - start]), norm([weight]), *weight[3].tolist()]
    expected = (
        "0.6429081126 1.952321162 0.2658502691 -0.09013662403 -0.04515946603 0.2581764735 "
        "-0.1129652503 -0.007968757197 0.3689685946 -0.2843487619 -0.09878304965 0.03740391377"
    )
    assert found == pytest.approx(numbers(expected), rel=1e-8)


def measures(groups):
    logits = 2 * waves(200, 10)
    logits[PLACES, TRUE] += 1.5
    confidences, predicted = logits.softmax(1).max(1)
    confusion = confusion_matrix(predicted, TRUE, 10)
    error = calibration_error(confidences, predicted == TRUE)
    return report(counts_of(confusion), confusion, error, tuple("abcdefghij"), groups)


def test_measures():
    """Values of dvlab-research/MiSLAS, utils/metric.py (15 bins); of kaidic/LDAM-DRW,
    cifar_train.py; and of scikit-learn's f1_score."""
    found = measures({})
    assert found["calibration_error"] == pytest.approx(0.1657126552, rel=1e-6)
    assert found["accuracy"] == 0.425
    assert found["macro_accuracy"] == pytest.approx(0.4430738379, rel=1e-9)
    assert found["macro_f1"] == pytest.approx(0.4015033199, rel=1e-9)
    assert list(found["per_class"].values()) == pytest.approx(
        numbers(
            "0.375 0.5384615385 0.4 0.3529411765 0.4 "
            "0.3846153846 0.4615384615 0.5454545455 0.2727272727 0.7"
        ),
        rel=1e-9,
    )


def test_many_medium_and_few():
    """Values of ynu-yangpeng/GLMC, Trainer.py: more than 100 images, more than 20, and the rest.

    A class of exactly 20 images is few-shot there and medium-shot for Liu et al. 2019 and here.
    """
    found = measures(shot_groups([5000, 300, 101, 100, 60, 21, 19, 10, 5, 3], 100, 20))
    values = [found[name] for name in ("many", "medium", "few")]
    assert values == pytest.approx(numbers("0.4378205128 0.3791855204 0.4949300699"), rel=1e-9)
    assert shot_groups([200, 20, 19], 100, 20) == {"many": [0], "medium": [1], "few": [2]}


@pytest.mark.parametrize("counts", COUNTS)
def test_groups_of_cifar_10_are_thirds_of_the_range(counts):
    """4, 3 and 3 classes; dvlab-research/MiSLAS has a list of 3, 4 and 3 in its configurations."""
    found = measures(shot_groups(COUNTS[counts], None, None))
    values = [found[name] for name in ("many", "medium", "few")]
    assert values == pytest.approx(numbers("0.4166006787 0.4153846154 0.5060606061"), rel=1e-9)
    recalls = list(found["per_class"].values())
    theirs = [sum(recalls[a:b]) / (b - a) for a, b in ((0, 3), (3, 7), (7, 10))]
    assert theirs == pytest.approx(numbers("0.4378205128 0.3997737557 0.5060606061"), rel=1e-9)


@pytest.fixture(scope="module")
def recipe():
    """The settings of a training by a recipe at exp0.01."""
    return functools.cache(
        lambda name: settings("retrain", f"recipe={name}", "network=resnet32", "imbalance=exp0.01")
    )


@pytest.mark.parametrize(
    ("name", "epoch", "rate"),
    [
        # kaidic/LDAM-DRW, cifar_train.py; epochs count from 0
        *(("cross_entropy", epoch, rate) for epoch, rate in ((0, 0.02), (3, 0.08), (4, 0.1))),
        *(("cross_entropy", epoch, rate) for epoch, rate in ((159, 0.1), (160, 1e-3))),
        *(("cross_entropy", epoch, rate) for epoch, rate in ((179, 1e-3), (180, 1e-5))),
        # megvii-research/BBN, lib/utils/lr_scheduler.py: the warm-up starts at a third, and a step
        # before the first epoch brings every rate an epoch early.
        ("bbn", 0, 0.14 / 3),
        ("bbn", 3, 0.26 / 3),
        ("bbn", 118, 0.1),
        ("bbn", 119, 1e-3),
        ("bbn", 158, 1e-3),
        ("bbn", 159, 1e-5),
        # dvlab-research/MiSLAS, train_stage1.py: a tenth at each drop
        ("mislas", 160, 1e-2),
        ("mislas", 180, 1e-3),
        # google-research/google-research, logit_adjustment/utils.py: a tenth after 49, 75 and 91 %
        ("logit_adjustment", 100, 1e-2),
        ("logit_adjustment", 156, 1e-3),
        ("logit_adjustment", 190, 1e-4),
    ],
)
def test_rates_of_recipes(recipe, name, epoch, rate):
    """Rates of the authors' code, whose files are named above; epochs of 200."""
    config = recipe(name)
    assert config.epochs == 200
    assert weight_rate(config.weights, epoch, 200) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "epochs", "epoch", "rate"),
    [
        # zhangyongshun/BagofTricks-LT, cRT/cifar10_im100.yaml: a tenth after 10 and 20 epochs
        ("crt", 30, 8, 0.1),
        ("crt", 30, 12, 1e-2),
        ("crt", 30, 22, 1e-3),
        # dvlab-research/MiSLAS, train_stage2.py and cifar10_imb001_stage2_mislas.yaml: a cosine
        ("mislas", 10, 0, 0.05),
        ("mislas", 10, 5, 0.025),
        ("mislas", 10, 9, 1.223587093e-3),
    ],
)
def test_rates_of_classifiers_alone(recipe, name, epochs, epoch, rate):
    """Rates of the authors' second stages; epochs count from 0."""
    stage = recipe(name).crt
    assert stage.epochs == epochs
    assert weight_rate(stage.weights, epoch, epochs) == pytest.approx(rate, rel=1e-9)
