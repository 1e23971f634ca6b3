"""Means over batches, weights of classes, and the moment they begin."""

import pytest
import torch
from torch.nn import functional

from ltnas import config as c
from ltnas.data.stream import Batch, Partner
from ltnas.losses.classification import CrossEntropy, build_criterion
from ltnas.losses.weights import class_weights
from ltnas.objectives.classification import Classification

COUNTS = torch.tensor([500, 100, 20])


class Model:
    """Gives what it was given."""

    def __init__(self, *logits):
        self.logits = logits

    def predictions(self, images):
        return self.logits


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(6, 3), torch.tensor([0, 0, 0, 1, 1, 2])


def loss_of(objective, logits, labels, *auxiliary):
    return objective(Model(logits, *auxiliary), Batch((logits,), labels)).objective


def test_weights_multiply_and_the_batch_divides(batch):
    logits, labels = batch
    weights = torch.tensor([0.2, 0.8, 2.0])
    each = functional.cross_entropy(logits, labels, reduction="none")
    expected = (each * weights[labels]).sum() / 6
    found = loss_of(Classification(CrossEntropy(), weights), logits, labels)
    torch.testing.assert_close(found, expected)
    torch_mean = functional.cross_entropy(logits, labels, weights)
    assert abs(float(found - torch_mean)) > 0.01


def test_weights_begin_at_their_share_of_the_run(batch):
    objective = Classification(CrossEntropy(), torch.tensor([0.2, 0.8, 2.0]), start=0.8)
    plain = functional.cross_entropy(*batch)
    for progress, weighs in ((0.0, False), (0.799, False), (0.8, True), (0.995, True)):
        objective.set_progress(progress)
        assert (abs(float(loss_of(objective, *batch) - plain)) > 1e-3) is weighs


def test_auxiliary_logits_count_by_weight(batch):
    logits, labels = batch
    weights, other = torch.tensor([0.2, 0.8, 2.0]), torch.randn(6, 3)
    one = Classification(CrossEntropy(), weights)
    both = Classification(CrossEntropy(), weights, auxiliary_weight=0.4)
    expected = loss_of(one, logits, labels) + 0.4 * loss_of(one, other, labels)
    torch.testing.assert_close(loss_of(both, logits, labels, other), expected)


def test_half_precision_logits_have_a_full_precision_loss(batch):
    logits, labels = batch
    with torch.autocast("cpu", torch.bfloat16):
        found = loss_of(Classification(CrossEntropy(), torch.ones(3)), logits.bfloat16(), labels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, functional.cross_entropy(logits.bfloat16().float(), labels))


CONFIGS = [
    c.CrossEntropy(),
    c.InverseFrequency(),
    c.ClassBalanced(),
    c.Focal(reweight="effective_number"),
    c.LdamDrw(),
    c.LogitAdjusted(),
    c.BalancedSoftmax(),
    c.VectorScaling(),
    c.GradientHarmonising(),
    c.LabelAwareSmoothing(),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_every_value_of_the_axis_has_a_criterion_and_weights(config, batch):
    logits, labels = batch
    criterion = build_criterion(config, COUNTS, scale=30.0)
    objective = Classification(criterion, class_weights(config, COUNTS), config.start)
    logits = logits.requires_grad_()
    loss = loss_of(objective, logits, labels)
    loss.backward()
    assert logits.grad.isfinite().all()
    # the label's logit is to grow
    assert (logits.grad.gather(1, labels[:, None]) < 0).all()
    assert class_weights(config, COUNTS).mean() == pytest.approx(1)


@pytest.mark.parametrize("config", CONFIGS[1:3] + CONFIGS[5:8], ids=lambda x: type(x).__name__)
def test_on_balanced_classes_all_are_the_plain_loss(config, batch):
    counts = torch.full((3,), 70)
    criterion = build_criterion(config, counts, scale=30.0)
    objective = Classification(criterion, class_weights(config, counts))
    torch.testing.assert_close(loss_of(objective, *batch), functional.cross_entropy(*batch))


def test_losses_of_both_labels_count_by_the_shares_of_their_images(batch):
    logits, labels = batch
    others, share = torch.tensor([1, 0, 0, 2, 1, 2]), torch.rand(6)
    weights = torch.tensor([0.2, 0.8, 2.0])
    mixed = Batch((logits,), labels, Partner((), others, (share,)))
    found = Classification(CrossEntropy(), weights)(Model(logits), mixed).objective
    log_p = functional.log_softmax(logits, 1)
    rows = torch.arange(6)
    own = -log_p[rows, labels] * weights[labels] * share
    other = -log_p[rows, others] * weights[others] * (1 - share)
    torch.testing.assert_close(found, (own + other).mean())
