"""Means over batches, class weights and their start, and builders of losses and views."""

import pytest
import torch
from torch.nn import functional

from ltnas import config as c
from ltnas.data.augment import Normalisation, PlainView, TwinView
from ltnas.data.auto_augment import AutoAugment
from ltnas.data.rand_augment import RandAugment
from ltnas.data.stream import Batch, Partner
from ltnas.losses.classification import (
    CrossEntropy,
    Focal,
    GradientHarmonising,
    LabelAwareSmoothing,
    Ldam,
    VectorScaling,
    build_criterion,
)
from ltnas.losses.weights import class_weights
from ltnas.objectives.build import build_objective, build_views
from ltnas.objectives.classification import Classification, WeightedMean

COUNTS = torch.tensor([500, 100, 20])


class Model:
    """Model that returns given logits."""

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
    loss = loss_of(Classification(CrossEntropy(), weights), logits, labels)
    torch.testing.assert_close(loss, expected)
    torch_mean = functional.cross_entropy(logits, labels, weights)
    assert abs(float(loss - torch_mean)) > 0.01


def test_a_weighted_mean_is_that_of_pytorch(batch):
    logits, labels = batch
    weights = torch.tensor([0.2, 0.8, 2.0])
    objective = WeightedMean(CrossEntropy(), weights, start=0.5)
    torch.testing.assert_close(
        loss_of(objective, logits, labels), functional.cross_entropy(logits, labels)
    )
    objective.set_progress(0.5)
    torch.testing.assert_close(
        loss_of(objective, logits, labels), functional.cross_entropy(logits, labels, weights)
    )


def test_a_weighted_mean_of_mixed_images_divides_by_their_mixed_weights(batch):
    logits, labels = batch
    others, share = torch.tensor([1, 0, 0, 2, 1, 2]), torch.rand(6)
    weights = torch.tensor([0.2, 0.8, 2.0])
    mixed = Batch((logits,), labels, Partner((), others, (share,)))
    loss = WeightedMean(CrossEntropy(), weights)(Model(logits), mixed).objective
    log_p, rows = functional.log_softmax(logits, 1), torch.arange(6)
    first, second = share * weights[labels], (1 - share) * weights[others]
    each = -first * log_p[rows, labels] - second * log_p[rows, others]
    torch.testing.assert_close(loss, each.sum() / (first + second).sum())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("images", Classification), ("classes", Classification), ("batch", WeightedMean)],
)
def test_the_normalisation_chooses_the_divisor(name, kind, batch):
    config = c.ClassBalanced(weight_normalisation=name, beta=0.99)
    objective = build_objective(config, 4, COUNTS, c.LinearClassifier())
    assert type(objective) is kind
    logits, labels = batch
    weights = 1 / torch.tensor([sum(0.99**i for i in range(n)) for n in COUNTS.tolist()])
    scale = {
        "images": COUNTS.sum() / (COUNTS * weights).sum(),
        "classes": 3 / weights.sum(),
        "batch": 6 / weights[labels].sum(),
    }[name]
    each = functional.cross_entropy(logits, labels, reduction="none")
    expected = scale * (weights[labels] * each).sum() / 6
    torch.testing.assert_close(loss_of(objective, logits, labels), expected)


def test_weights_begin_at_their_share_of_the_run(batch):
    objective = Classification(CrossEntropy(), torch.tensor([0.2, 0.8, 2.0]), start=0.8)
    plain = functional.cross_entropy(*batch)
    for progress, weighs in ((0.0, False), (0.799, False), (0.8, True), (0.995, True)):
        objective.set_progress(progress)
        assert (abs(float(loss_of(objective, *batch) - plain)) > 1e-3) is weighs


def test_auxiliary_logits_count_by_weight(batch):
    logits, labels = batch
    weights, auxiliary = torch.tensor([0.2, 0.8, 2.0]), torch.randn(6, 3)
    one = Classification(CrossEntropy(), weights)
    both = Classification(CrossEntropy(), weights, auxiliary_weight=0.4)
    expected = loss_of(one, logits, labels) + 0.4 * loss_of(one, auxiliary, labels)
    torch.testing.assert_close(loss_of(both, logits, labels, auxiliary), expected)


def test_half_precision_logits_have_a_full_precision_loss(batch):
    logits, labels = batch
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(Classification(CrossEntropy(), torch.ones(3)), logits.bfloat16(), labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, functional.cross_entropy(logits.bfloat16().float(), labels))


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
    # A step against the gradient increases the label's logit.
    assert (logits.grad.gather(1, labels[:, None]) < 0).all()
    assert (class_weights(config, COUNTS) * COUNTS).sum() == pytest.approx(620)


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
    loss = Classification(CrossEntropy(), weights)(Model(logits), mixed).objective
    log_p = functional.log_softmax(logits, 1)
    rows = torch.arange(6)
    first = -log_p[rows, labels] * weights[labels] * share
    second = -log_p[rows, others] * weights[others] * (1 - share)
    torch.testing.assert_close(loss, (first + second).mean())


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        *((kind(), CrossEntropy) for kind in (c.CrossEntropy, c.InverseFrequency)),
        *((kind(), CrossEntropy) for kind in (c.ClassBalanced, c.MixtureConsistency)),
        (c.Focal(), Focal),
        *((kind(), Ldam) for kind in (c.Ldam, c.LdamDrw)),
        *((kind(), VectorScaling) for kind in (c.LogitAdjusted, c.BalancedSoftmax)),
        (c.VectorScaling(), VectorScaling),
        (c.GradientHarmonising(), GradientHarmonising),
        (c.LabelAwareSmoothing(), LabelAwareSmoothing),
    ],
    ids=lambda x: type(x).__name__,
)
def test_each_objective_has_its_own_loss(config, kind):
    assert type(build_criterion(config, COUNTS, scale=30.0)) is kind


def test_a_loss_is_told_of_the_progress():
    ending = c.VectorScaling(gamma=1.0, multiplicative_end=0.5)
    objectives = [
        build_objective(config, 4, COUNTS, c.LinearClassifier())
        for config in (ending, c.VectorScaling(gamma=1.0), c.VectorScaling(gamma=0.0))
    ]
    logits, labels = torch.randn(4, 3), torch.arange(4) % 3
    for progress, expected in ((0.0, 1), (0.4, 1), (0.5, 2), (0.9, 2), (0.1, 1)):
        for objective in objectives:
            objective.set_progress(progress)
        values = [float(objective.loss(logits, labels)) for objective in objectives]
        assert values[0] == values[expected]
        assert values[1] != values[2]


@pytest.mark.parametrize("unknown", [c.Classification(), c.BarlowTwins()], ids=repr)
def test_an_objective_without_a_loss_is_refused(unknown):
    with pytest.raises(TypeError, match="on the objective axis"):
        build_criterion(unknown, COUNTS, scale=1.0)


def test_an_unknown_objective_or_classifier_is_refused():
    with pytest.raises(TypeError, match="is not a value on the objective axis"):
        build_objective(c.Objective(), 4, COUNTS, c.LinearClassifier())
    with pytest.raises(TypeError, match="is not a value on the classifier axis"):
        build_objective(c.CrossEntropy(), 4, COUNTS, c.Classifier())


NORMALISATION = Normalisation((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize(
    ("config", "augmentation", "count", "kind", "policy"),
    [
        (c.CrossEntropy(), None, 1, PlainView, None),
        (c.Focal(), c.PlainAugmentation(), 1, PlainView, None),
        (c.CrossEntropy(), c.RandAugment(3, 7), 1, PlainView, RandAugment(3, 7)),
        (c.CrossEntropy(), c.AutoAugment(fill=5), 1, PlainView, AutoAugment(5)),
        (c.MixtureConsistency(), None, 2, PlainView, None),
        (c.BarlowTwins(), None, 2, TwinView, None),
    ],
    ids=lambda x: type(x).__name__,
)
def test_each_objective_has_its_views(config, augmentation, count, kind, policy):
    views = build_views(config, c.Data("digits"), NORMALISATION, 4, augmentation)
    assert [type(view) for view in views] == [kind] * count
    if kind is PlainView:
        assert all((view.policy, view.cutout) == (policy, 4) for view in views)


def test_views_of_an_unknown_objective_or_augmentation_are_refused():
    with pytest.raises(TypeError, match="is not a value on the objective axis"):
        build_views(c.Objective(), c.Data("digits"), NORMALISATION)
    with pytest.raises(TypeError, match="is not a value on the augmentation axis"):
        build_views(
            c.CrossEntropy(), c.Data("digits"), NORMALISATION, augmentation=c.Augmentation()
        )
