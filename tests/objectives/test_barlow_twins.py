"""Barlow Twins compared with its equations, and its invariances."""

import pytest
import torch
from torch import nn

from ltnas.data.stream import Batch
from ltnas.objectives.barlow_twins import (
    EPSILON,
    BarlowTwins,
    barlow_twins_loss,
    cross_correlation,
    projector,
)


def views(seed=0, batch=32, size=6):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, batch, size, dtype=torch.float64, generator=generator)


def reference_loss(first, second, weight):
    """Loss by the pseudocode of Zbontar et al. 2021, with the variance of their BatchNorm."""
    batch, size = first.shape
    first, second = (
        (z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt() for z in (first, second)
    )
    correlation = first.T @ second / batch
    difference = (correlation - torch.eye(size, dtype=first.dtype)) ** 2
    off_diagonal = ~torch.eye(size, dtype=torch.bool)
    difference[off_diagonal] *= weight
    return difference.sum()


def test_loss_is_that_of_the_paper():
    first, second = views()
    loss = barlow_twins_loss(cross_correlation(first, second, center=True), 0.0051)
    torch.testing.assert_close(loss, reference_loss(first, second, 0.0051), rtol=1e-12, atol=0)


def test_equation_9_without_centring():
    first, second = views()
    correlation = cross_correlation(first, second, center=False)
    expected = torch.stack(
        [
            torch.stack(
                [
                    (first[:, i] * second[:, j]).sum()
                    / (
                        ((first[:, i] ** 2).sum() + len(first) * EPSILON).sqrt()
                        * ((second[:, j] ** 2).sum() + len(first) * EPSILON).sqrt()
                    )
                    for j in range(6)
                ]
            )
            for i in range(6)
        ]
    )
    torch.testing.assert_close(correlation, expected, rtol=1e-12, atol=1e-15)


def test_both_forms_agree_on_centred_inputs_and_differ_on_others():
    first, second = (z - z.mean(0) for z in views())
    centred, literal = (cross_correlation(first, second, center) for center in (True, False))
    torch.testing.assert_close(centred, literal, rtol=1e-10, atol=1e-12)
    assert not torch.allclose(
        cross_correlation(first + 1, second, True), cross_correlation(first + 1, second, False)
    )


def test_affine_changes_of_one_view_change_nothing():
    """Views are standardised separately: jointly, an offset between them would count."""
    first, _ = views()
    scale = 1e3 * torch.rand(6, dtype=torch.float64) + 100
    first = 10 * first
    same = cross_correlation(first, first, True)
    moved = cross_correlation(first, scale * first + 7, True)
    torch.testing.assert_close(same, moved, rtol=1e-6, atol=1e-7)


def test_least_when_views_agree_and_features_do_not_repeat():
    assert float(barlow_twins_loss(torch.eye(5), 0.1)) == 0
    assert float(barlow_twins_loss(torch.ones(3, 3), 0.1)) == pytest.approx(0.6)
    assert float(barlow_twins_loss(torch.zeros(3, 3), 0.1)) == 3


class Toy(nn.Module):
    """Model whose features are a linear map of the pixels."""

    def __init__(self):
        super().__init__()
        self.map, self.classifier, self.feature_size = nn.Linear(12, 5), nn.Linear(5, 3), 5

    def features(self, images):
        return self.map(images.flatten(1))


def test_labels_reach_the_probe_alone():
    torch.manual_seed(0)
    model, objective = Toy(), BarlowTwins(5, 8, 4, 0.01, True)
    images = tuple(torch.randn(2, 8, 3, 2, 2))
    losses = [
        objective(model, Batch(images, labels))
        for labels in (torch.arange(8) % 3, torch.zeros(8, dtype=torch.long))
    ]
    assert losses[0].objective.equal(losses[1].objective)
    assert not losses[0].probe.equal(losses[1].probe)
    gradients = torch.autograd.grad(losses[0].probe, list(model.parameters()), allow_unused=True)
    assert gradients[0] is None
    assert gradients[1] is None
    assert gradients[2] is not None
    assert losses[0].logits.shape == (8, 3)


def test_projector_widths():
    shapes = [
        tuple(module.weight.shape) for module in projector(7, 5, 3) if hasattr(module, "bias")
    ]
    assert shapes == [(5, 7), (5,), (5, 5), (5,), (3, 5)]


def test_the_loss_is_in_full_precision_under_autocast():
    torch.manual_seed(0)
    model, objective = Toy(), BarlowTwins(5, 8, 4, 0.01, True)
    batch = Batch(tuple(torch.randn(2, 8, 3, 2, 2)), torch.zeros(8, dtype=torch.long))
    with torch.autocast("cpu", torch.bfloat16):
        assert objective(model, batch).objective.dtype == torch.float32
