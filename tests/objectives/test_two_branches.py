"""Mixture of features and losses of BBN, compared with its equations."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from ltnas import config as c
from ltnas.data.stream import Batch, Partner
from ltnas.objectives.build import build_objective
from ltnas.objectives.two_branches import TwoBranches

FEATURES, CLASSES = 6, 3
COUNTS, REVERSED = torch.tensor([60.0, 30.0, 10.0]), torch.tensor([11.0, 22.0, 67.0])


class Model(nn.Module):
    """Model whose features are a linear map of the images, a separate one for each branch."""

    def __init__(self):
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(4, FEATURES) for _ in range(2))
        self.classifier = nn.Linear(2 * FEATURES, CLASSES)

    def branch_features(self, images, branch):
        return self.maps[branch](images)


@pytest.fixture
def setting():
    torch.manual_seed(0)
    labels = torch.tensor([0, 0, 1, 0, 2]), torch.tensor([2, 2, 1, 0, 2])
    images = torch.randn(5, 4).double(), torch.randn(5, 4).double()
    return Model().double(), images, labels


def batch_of(images, labels, share):
    partner = Partner((images[1],), labels[1], (torch.tensor(share, dtype=torch.float64),))
    return Batch((images[0],), labels[0], partner)


def built(objective):
    return build_objective(
        objective, 2 * FEATURES, COUNTS, c.LinearClassifier(), rebalanced=REVERSED
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_features_and_losses_are_mixed_alike(setting, share):
    model, images, labels = setting
    losses = built(c.CrossEntropy())(model, batch_of(images, labels, share))
    features = [model.maps[branch](images[branch]) for branch in (0, 1)]
    left, right = model.classifier.weight.chunk(2, 1)
    logits = 2 * (share * features[0] @ left.T + (1 - share) * features[1] @ right.T)
    logits = logits + model.classifier.bias
    expected = share * F.cross_entropy(logits, labels[0])
    expected = expected + (1 - share) * F.cross_entropy(logits, labels[1])
    assert_close(losses.objective, expected)
    assert_close(losses.logits, logits.detach())
    assert losses.probe is None


def test_at_a_half_it_is_the_network_that_is_tested(setting):
    model, (images, _), labels = setting
    losses = built(c.CrossEntropy())(model, batch_of((images, images), labels, 0.5))
    joined = torch.cat([model.branch_features(images, branch) for branch in (0, 1)], 1)
    assert_close(losses.logits, model.classifier(joined).detach())


def test_either_loss_has_the_counts_of_its_stream(setting):
    model, images, labels = setting
    objective = built(c.BalancedSoftmax())
    assert isinstance(objective, TwoBranches)
    for share, counts, targets in ((1.0, COUNTS, labels[0]), (0.0, REVERSED, labels[1])):
        losses = objective(model, batch_of(images, labels, share))
        expected = F.cross_entropy(losses.logits + counts.log(), targets)
        assert_close(losses.objective.detach(), expected, rtol=1e-6, atol=1e-7)


def test_progress_reaches_both_losses():
    objective = built(c.ClassBalanced(start=0.5))
    parts = objective.conventional, objective.rebalancing
    objective.set_progress(0.4)
    assert all((part.current_weights == 1).all() for part in parts)
    objective.set_progress(0.5)
    for part in parts:
        assert torch.equal(part.current_weights, part.weights)
        assert (part.weights != 1).any()
