"""Classifiers: cosines with learned and with fixed vectors, and the axis."""

import pytest
import torch

from ltnas import config as c
from ltnas.models.classifiers import (
    CosineClassifier,
    SimplexClassifier,
    describe_classifier,
    described_classifier,
    make_classifier,
    simplex,
)


def test_cosines_know_no_length():
    torch.manual_seed(0)
    classifier = CosineClassifier(6, 4, 30.0)
    x = torch.randn(5, 6)
    logits = classifier(x)
    assert logits.shape == (5, 4)
    assert logits.abs().max() <= 30
    torch.testing.assert_close(classifier(7 * x), logits)
    own = classifier(classifier.weight.detach()).diagonal()
    torch.testing.assert_close(own, torch.full((4,), 30.0))
    with torch.no_grad():
        classifier.weight[0] *= 5
    torch.testing.assert_close(classifier(x), logits)


@pytest.mark.parametrize(("features", "classes"), [(16, 2), (10, 10), (64, 100 // 2)])
def test_a_simplex_has_equal_angles(features, classes):
    vectors = simplex(features, classes, torch.Generator().manual_seed(3))
    cosines = vectors @ vectors.T
    expected = torch.full((classes, classes), -1 / (classes - 1)).double()
    torch.testing.assert_close(cosines, expected.fill_diagonal_(1))


def test_a_simplex_needs_as_many_features_as_classes():
    with pytest.raises(ValueError, match="10 classes needs 10 features, not 9"):
        simplex(9, 10, torch.Generator())


def test_the_simplex_is_the_same_each_time_and_never_trained():
    first, second = (SimplexClassifier(8, 5, 16.0) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    assert not list(first.parameters())
    assert "weight" in first.state_dict()


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (c.LinearClassifier(), torch.nn.Linear),
        (c.CosineClassifier(scale=20.0), CosineClassifier),
        (c.SimplexClassifier(), SimplexClassifier),
    ],
)
def test_the_axis(config, kind):
    classifier = make_classifier(config)(12, 3)
    assert isinstance(classifier, kind)
    assert classifier(torch.randn(2, 12)).shape == (2, 3)
    assert described_classifier(describe_classifier(config)) == config


@pytest.mark.parametrize("build", [make_classifier, describe_classifier])
def test_an_unknown_value_is_refused(build):
    with pytest.raises(TypeError, match=r"Classifier\(\) is not a value on the classifier axis"):
        build(c.Classifier())


def test_an_unknown_description_is_refused():
    with pytest.raises(ValueError, match="quadratic is not a kind of classifier"):
        described_classifier({"kind": "quadratic"})
