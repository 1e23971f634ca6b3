"""A linear classifier with a factor of each class."""

import torch
import torch.nn.functional as F
from torch import nn

from ltnas.models.scaled_classifier import ScaledClassifier


def trained(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(5, 3)


def test_it_begins_as_the_classifier_that_it_scales():
    linear, features = trained(), torch.randn(4, 5)
    assert torch.equal(ScaledClassifier(linear)(features), linear(features))


def test_logits_and_gradients_are_those_of_mislas():
    """Factor times the logit with its bias, as in the code of Zhong et al. 2021."""
    scaled, features = ScaledClassifier(trained()), torch.randn(4, 5)
    with torch.no_grad():
        scaled.factors.copy_(torch.tensor([0.5, 1.0, 2.0]))
    labels = torch.tensor([0, 1, 2, 2])
    F.cross_entropy(scaled(features), labels).backward()
    factors = torch.tensor([0.5, 1.0, 2.0], requires_grad=True)
    linear = trained()
    logits = factors * (features @ linear.weight.T + linear.bias)
    F.cross_entropy(logits, labels).backward()
    torch.testing.assert_close(scaled(features), logits)
    torch.testing.assert_close(scaled.factors.grad, factors.grad)
    torch.testing.assert_close(scaled.linear.weight.grad, linear.weight.grad)
    torch.testing.assert_close(scaled.linear.bias.grad, linear.bias.grad)


def test_the_folded_classifier_has_the_same_logits_to_the_bit():
    scaled, features = ScaledClassifier(trained()), torch.randn(64, 5)
    with torch.no_grad():
        scaled.factors.copy_(torch.tensor([0.37, 1.21, 2.9]))
    before = scaled(features)
    folded = scaled.folded()
    assert type(folded) is nn.Linear
    assert torch.equal(folded(features), before)
    assert not torch.equal(folded.weight, trained().weight)
