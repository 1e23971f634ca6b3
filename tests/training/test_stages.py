"""Stages of a training: their folders, and the optimisers of published recipes in each epoch."""

import functools
import math
import shutil
from itertools import pairwise

import pytest
from composed import settings

from ltnas import config as c
from ltnas.axes.schedules import weight_rate
from ltnas.errors import UserError
from ltnas.runs.folder import RunFolder
from ltnas.training.stages import stages

CONFIG = c.RetrainConfig(genotype="darts_v2", crt=c.ClassifierStage(1))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "retrain"
    path.mkdir()
    return RunFolder(path)


def test_a_stage_has_a_folder_in_that_of_the_run(folder):
    for _ in range(2):  # a resumed run finds it there
        assert [stage.folder.path for stage in stages(CONFIG, folder)] == [
            folder.path,
            folder.path / "crt",
        ]
    assert (folder.path / "crt").is_dir()


def test_a_deleted_run_folder_is_told(folder):
    shutil.rmtree(folder.path)
    with pytest.raises(UserError, match="retrain was deleted while this command worked in it"):
        stages(CONFIG, folder)


def test_a_file_in_the_place_of_the_folder_is_told(folder):
    (folder.path / "crt").touch()
    with pytest.raises(UserError, match=r"crt cannot be created \(File exists\): mend that, then"):
        stages(CONFIG, folder)


# --- recipes ------------------------------------------------------------------------------------


def by_steps(epochs, first, steps, factor):
    """Rates of epochs counted from 1, which change before the epochs in `steps`."""
    return [first * factor ** sum(e >= step for step in steps) for e in range(1, epochs + 1)]


def with_warmup(rates, share):
    """Rates whose first five epochs, counted from 1, have a share."""
    return [rate * (share(e) if e <= 5 else 1) for e, rate in enumerate(rates, 1)]


def ldam(epoch):
    """Share of the rate in the warm-up of LDAM-DRW, epoch from 1: e / 5."""
    return epoch / 5


def bbn(epoch):
    """Share of the rate in the warm-up of BBN, epoch from 1: 1/3 (1 - e/5) + e/5."""
    return (1 - epoch / 5) / 3 + epoch / 5


def cosine(epochs, first):
    """Rates of MiSLAS, with epochs from 0: first / 2 (1 + cos(pi e / E))."""
    return [first / 2 * (1 + math.cos(math.pi * e / epochs)) for e in range(epochs)]


FIELD = with_warmup(by_steps(200, 0.1, (161, 181), 0.01), ldam)
"""LDAM-DRW tests `epoch > 160` and `epoch > 180`, with epochs counted from 1."""
MISLAS = with_warmup(by_steps(200, 0.1, (161, 181), 0.1), ldam)
CRT = with_warmup(by_steps(30, 0.1, (10, 20), 0.1), bbn)

RATES = {
    ("cross_entropy", "exp0.1"): [FIELD],
    ("paper_ldam_drw", "exp0.01"): [FIELD],
    ("bbn", "exp0.02"): [with_warmup(by_steps(200, 0.1, (120, 160), 0.01), bbn)],
    ("crt", "exp0.01"): [with_warmup(by_steps(200, 0.1, (160, 180), 0.01), bbn), CRT],
    ("mislas", "exp0.01"): [MISLAS, cosine(10, 0.05)],
    ("mislas", "exp0.02"): [MISLAS, cosine(10, 0.02)],
    ("mislas", "exp0.1"): [MISLAS, cosine(10, 0.02)],
}
"""Rates of all epochs of each stage, from the published code of the recipes."""

REST = {
    "cross_entropy": [(2e-4, 0.9, False)],
    "paper_ldam_drw": [(2e-4, 0.9, False)],
    "logit_adjustment": [(2e-4, 0.9, True)],
    "bbn": [(2e-4, 0.9, True)],
    "crt": [(2e-4, 0.9, True), (5e-4, 0.9, True)],
    "mislas": [(5e-4, 0.9, False), (5e-4, 0.9, False)],
}
"""Weight decay, momentum and Nesterov of each stage."""


composed_once = functools.cache(settings)


def stages_of(recipe, imbalance, folder, *words):
    named = ("network=resnet32", f"recipe={recipe}", f"imbalance={imbalance}", *words)
    return stages(composed_once("retrain", *named), folder)


@pytest.mark.parametrize(("recipe", "imbalance"), RATES)
def test_rates_of_all_epochs_are_those_of_the_paper(recipe, imbalance, folder):
    found = [
        [weight_rate(stage.weights, epoch, stage.epochs) for epoch in range(stage.epochs)]
        for stage in stages_of(recipe, imbalance, folder)
    ]
    assert [len(rates) for rates in found] == [len(rates) for rates in RATES[recipe, imbalance]]
    for rates, wanted in zip(found, RATES[recipe, imbalance], strict=True):
        assert rates == pytest.approx(wanted, rel=1e-9)


def test_logit_adjustment_falls_where_the_paper_does(folder):
    # 1,241 epochs in the paper: 20 of warm-up, a tenth from each of these on.
    (stage,) = stages_of("logit_adjustment", "exp0.01", folder, "epochs=1241")
    rates = [weight_rate(stage.weights, epoch, 1241) for epoch in range(1241)]
    falls = [e for e, (before, now) in enumerate(pairwise(rates), 1) if now < before]
    assert falls == [604, 926, 1128]
    assert rates[20:604] == pytest.approx([0.1] * 584)
    assert rates[1128:] == pytest.approx([1e-4] * 113)
    # The recipe's own 200 epochs: the same shares of them.
    (stage,) = stages_of("logit_adjustment", "exp0.01", folder)
    rates = [weight_rate(stage.weights, epoch, 200) for epoch in range(200)]
    wanted = [0.1 * 0.1 ** sum(e / 200 >= f / 1241 for f in falls) for e in range(200)]
    assert rates[3:] == pytest.approx(wanted[3:])
    assert rates[:3] == pytest.approx([0.1 / 3, 0.2 / 3, 0.1])


@pytest.mark.parametrize("recipe", REST)
def test_the_rest_of_each_optimiser(recipe, folder):
    found = [stage.weights for stage in stages_of(recipe, "exp0.01", folder)]
    assert [(w.weight_decay, w.momentum, w.nesterov) for w in found] == REST[recipe]
    assert all(weights.clip is None for weights in found)


def test_what_the_second_stages_train(folder):
    _, crt = stages_of("crt", "exp0.01", folder)
    assert (crt.fresh_classifier, crt.trains_trunk, crt.scaling_rate) == (True, False, 0.0)
    assert isinstance(crt.sampler, c.ClassBalancedSampler)
    for imbalance, head in (("exp0.01", 0.3), ("exp0.02", 0.2), ("exp0.1", 0.1)):
        first, second = stages_of("mislas", imbalance, folder)
        assert first.mix == c.Mixup(1.0)
        assert (second.fresh_classifier, second.trains_trunk) == (False, False)
        assert second.objective == c.LabelAwareSmoothing(head=head, tail=0.0)
        assert isinstance(second.sampler, c.ClassBalancedSampler)
        assert second.scaling_rate == 0.1


def test_no_stage_has_the_optimiser_of_another(folder):
    words = ("pretrain=barlow_twins", "pretrain_epochs=2", "pretrain_weights.learning_rate=0.5")
    found = stages_of("crt", "exp0.1", folder, *words, "weights.learning_rate=0.7")
    assert [stage.weights.learning_rate for stage in found] == [0.5, 0.7, 0.1]
    assert [stage.weights.decay for stage in found] == ["cosine", "steps", "steps"]
    assert [stage.weights.weight_decay for stage in found] == [3e-4, 2e-4, 5e-4]


def test_factors_are_a_value_that_other_recipes_can_have(folder):
    words = ("crt.epochs=5", "crt.fresh=false", "crt.scaling_rate=0.2")
    _, second = stages_of("cross_entropy", "exp0.1", folder, *words)
    assert (second.epochs, second.scaling_rate) == (5, 0.2)
