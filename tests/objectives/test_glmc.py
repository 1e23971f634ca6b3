"""Mixture consistency: its three terms and their gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from ltnas import config as c
from ltnas.axes.schedules import branch_share
from ltnas.data.stream import Batch, Partner
from ltnas.objectives.build import build_objective
from ltnas.objectives.glmc import build_heads, disagreement

COUNTS = torch.tensor([60.0, 30.0, 10.0])
FEATURES = 6


class Model(nn.Module):
    """Model whose features are a linear map of the images."""

    def __init__(self):
        super().__init__()
        self.map, self.classifier = nn.Linear(4, FEATURES), nn.Linear(FEATURES, 3)

    def features(self, images):
        return self.map(images)


@pytest.fixture
def setting():
    torch.manual_seed(0)
    model = Model()
    config = c.MixtureConsistency(width=8, consistency=2.0, weight_normalisation="classes")
    objective = build_objective(config, FEATURES, COUNTS, c.LinearClassifier())
    labels, others = torch.tensor([0, 0, 1, 0, 2]), torch.tensor([0, 1, 0, 2, 0])
    shares = torch.rand(5), torch.rand(5)
    batch = Batch((torch.randn(5, 4), torch.randn(5, 4)), labels, Partner((), others, shares))
    return model, objective, batch


def retyped(model, objective, batch, m, gamma):
    """Loss by the authors' code, with one-hot labels."""
    weights = COUNTS**-1.2 / (COUNTS**-1.2).sum() * 3
    features = model.features(torch.cat(batch.views))
    z = objective.projector(features)
    p = objective.predictor(z)
    first, second = F.one_hot(batch.labels, 3), F.one_hot(batch.partner.labels, 3)
    total = 0.0
    for view, part in enumerate(features.chunk(2)):
        share = batch.partner.shares[view][:, None]
        target = share * first + (1 - share) * second
        plain = F.log_softmax(objective.classifier(part), 1)
        weighted = F.log_softmax(model.classifier(part), 1)
        total = total - m * (plain * target).sum(1).mean()
        total = total - (1 - m) * (weighted * target * weights).sum(1).mean()
    (z1, z2), (p1, p2) = z.detach().chunk(2), p.chunk(2)
    consistency = F.cosine_similarity(p1, z2).mean() + F.cosine_similarity(p2, z1).mean()
    return total - gamma * consistency


@pytest.mark.parametrize("progress", [0.0, 0.5, 0.95])
def test_the_sum_is_that_of_the_paper(setting, progress):
    model, objective, batch = setting
    objective.set_progress(progress)
    losses = objective(model, batch)
    assert_close(losses.objective, retyped(model, objective, batch, 1 - progress**2, 2.0))
    assert_close(losses.logits, model.classifier(model.features(batch.views[0])).detach())
    assert losses.probe is None


@pytest.mark.parametrize("progress", [0.0, 0.5, 0.95])
def test_the_sum_with_heads_of_one_linear_layer_each(setting, progress):
    """As in the authors' code: z = W f + a, p = V z + b, and -cos of p and the other z."""
    model, _, batch = setting
    scale = {"weight_normalisation": "classes"}
    config = c.MixtureConsistency(width=8, consistency=1.0, heads="linear", **scale)
    objective = build_objective(config, FEATURES, COUNTS, c.LinearClassifier())
    heads = [objective.projector, objective.predictor]
    assert [head.weight.shape for head in heads] == [(8, FEATURES), (8, 8)]
    objective.set_progress(progress)
    loss = objective(model, batch).objective
    classification = retyped(model, objective, batch, 1 - progress**2, 0.0)
    (z1, p1), (z2, p2) = (
        (z, z @ heads[1].weight.T + heads[1].bias)
        for z in (model.features(x) @ heads[0].weight.T + heads[0].bias for x in batch.views)
    )

    def cosine(p, z):
        return (p * z).sum(1) / (p.square().sum(1) * z.square().sum(1)).sqrt()

    expected = classification - cosine(p1, z2).mean() - cosine(p2, z1).mean()
    assert_close(loss, expected)


def test_unknown_heads_are_refused():
    with pytest.raises(ValueError, match=r"deep is not a value of objective\.heads"):
        build_heads("deep", 6, 8)


def test_class_weights_may_start_late(setting):
    model, _, batch = setting
    late = c.MixtureConsistency(width=8, consistency=0.0, start=0.5)
    values = {}
    for weights in (late, c.MixtureConsistency(width=8, consistency=0.0, reweight="none")):
        torch.manual_seed(0)
        objective = build_objective(weights, FEATURES, COUNTS, c.LinearClassifier())
        for progress in (0.49, 0.5):
            objective.set_progress(progress)
            values[weights.reweight, progress] = float(objective(model, batch).objective.detach())
    assert values["inverse_frequency", 0.49] == values["none", 0.49]
    assert values["inverse_frequency", 0.5] != values["none", 0.5]


@pytest.mark.parametrize("progress", [0.0, 1 / 3, 0.7, 0.95])
def test_the_share_of_the_plain_loss(setting, progress):
    _, objective, _ = setting
    objective.set_progress(progress)
    shares = (branch_share("parabolic", progress), progress**2)
    assert_close(objective.shares, torch.tensor(shares))


def test_at_first_the_models_classifier_learns_nothing_and_later_it_does(setting):
    model, objective, batch = setting
    for progress, learns in ((0.0, False), (0.5, True)):
        objective.set_progress(progress)
        loss = objective(model, batch).objective
        (gradient,) = torch.autograd.grad(loss, [model.classifier.weight])
        assert bool(gradient.abs().sum() > 0) is learns


def test_no_gradient_reaches_the_target():
    p, z = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    value = disagreement(p, z)
    assert_close(value, -(F.normalize(p) * F.normalize(z)).sum(1).mean())
    value.backward()
    assert p.grad.abs().sum() > 0
    assert z.grad is None
