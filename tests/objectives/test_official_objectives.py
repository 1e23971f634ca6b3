"""Objectives with two views or two streams, compared with values of official code.

The authors' code was run in float64 on the features of `official_inputs`.
"""

import pytest
import torch
from official_inputs import COUNTS, IMAGE, LABELS, filled, norm, numbers, waves
from torch import nn

from ltnas import config as c
from ltnas.axes.schedules import branch_share
from ltnas.data.stream import Batch, Partner
from ltnas.models.resnet import ResNet
from ltnas.objectives.barlow_twins import BarlowTwins, barlow_twins_loss, cross_correlation
from ltnas.objectives.build import build_objective


class Features(nn.Module):
    """Model whose images are features already."""

    def __init__(self, classifier):
        super().__init__()
        self.classifier = classifier

    def features(self, images):
        return images


GLMC = {
    "exp0.1": numbers(
        "3.49785934 0.6226605474 -0.004114710501 -0.05406911802 0.06978277074 -0.04475794783 "
        "-0.004558532773 -0.02193264671 0.03454005013 0.02335557356 -0.01416391578 -0.03906437995 "
        "-0.01043737211 -0.02965071132"
    ),
    "exp0.01": numbers(
        "3.47728035 0.622959323 -0.004015366645 -0.05405222617 0.06973422523 -0.0450878587 "
        "-0.004769962371 -0.02167207197 0.03470663979 0.02375724186 -0.01416268602 -0.03889212056 "
        "-0.01035342775 -0.02971883075"
    ),
}
TESTED = numbers(
    "0.4508271629 1.045945634 -0.6550284485 0.1577923244 0.3966231305 "
    "1.286501456 1.301475067 1.034763224 0.1759414294 -0.3378040318"
)


@pytest.mark.parametrize("counts", COUNTS)
def test_mixture_consistency(counts):
    """Values of ynu-yangpeng/GLMC, GLMC-2023/Trainer.py, in epoch 60 of 200.

    Both views have the same label shares, and projector and predictor are one linear layer each, as
    in their code for CIFAR; ours are perceptrons. Loss, norm of the gradient with respect to both
    views, and gradient of an image's first view.
    """
    plain, weighted, projector, predictor = filled(
        nn.ModuleList([nn.Linear(12, 10), nn.Linear(12, 10), nn.Linear(12, 8), nn.Linear(8, 8)])
    )
    config = c.MixtureConsistency(exponent=1.2, consistency=4.0, weight_normalisation="classes")
    objective = build_objective(config, 12, torch.tensor(COUNTS[counts]), c.LinearClassifier())
    objective.double()
    objective.classifier, objective.projector, objective.predictor = plain, projector, predictor
    objective.set_progress(60 / 200)
    views = [waves(16, 12, start=start).requires_grad_() for start in (0, 1)]
    shares = (torch.full((16,), 0.3, dtype=torch.float64),) * 2
    batch = Batch(tuple(views), LABELS, Partner((), LABELS.flip(0), shares))
    losses = objective(Features(weighted), batch)
    gradients = torch.autograd.grad(losses.objective, views)
    found = [losses.objective.item(), norm(gradients), *gradients[0][IMAGE].tolist()]
    assert found == pytest.approx(GLMC[counts], rel=1e-6)
    # The authors test the head whose loss is weighted, too.
    assert losses.logits[IMAGE].tolist() == pytest.approx(TESTED, rel=1e-9)


def test_shares_of_the_losses_and_branches():
    """Values of GLMC's Trainer.py in epochs 0, 60 and 199, which count from 0, and of BBN's
    Combiner in epochs 1, 51, 101, 151 and 200, which count from 1; 200 epochs in all."""
    objective = build_objective(
        c.MixtureConsistency(), 12, torch.tensor(COUNTS["exp0.1"]), c.LinearClassifier()
    )
    for epoch, share in ((0, 1), (60, 0.91), (199, 0.009975)):
        objective.set_progress(epoch / 200)
        assert objective.shares.tolist() == pytest.approx([share, 1 - share], rel=1e-6)
    shares = [branch_share("parabolic", (epoch - 1) / 200) for epoch in (1, 51, 101, 151, 200)]
    assert shares == pytest.approx([1, 0.9375, 0.75, 0.4375, 0.009975], rel=1e-12)


def test_barlow_twins():
    """Values of facebookresearch/barlowtwins, main.py."""
    first = waves(16, 6).requires_grad_()
    second = (waves(16, 6) + 0.5 * waves(16, 6, start=1)).requires_grad_()
    loss = barlow_twins_loss(cross_correlation(first, second, center=True), 0.0051)
    gradients = torch.autograd.grad(loss, (first, second))
    found = [loss.item(), norm(gradients), *gradients[0][IMAGE].tolist()]
    expected = numbers(
        "0.02618817933 0.04577713587 0.001847678094 0.00123696848 0.001357344199 0.0005547406157 "
        "-0.002240311293 0.007081726071"
    )
    assert found == pytest.approx(expected, rel=1e-8)


def test_both_views_pass_the_projector_as_one_batch():
    """Their views pass it one after the other, so that its statistics are those of a view.

    Values of facebookresearch/barlowtwins, main.py: as it is, and for both views as one batch.
    """
    objective = BarlowTwins(12, hidden=8, outputs=6, off_diagonal_weight=0.0051, center=True)
    projector = filled(objective.projector)
    first = waves(16, 12)
    second = first + 0.3 * waves(16, 12, start=1)
    model = Features(nn.Linear(12, 10).double())
    loss = objective(model, Batch((first, second), LABELS)).objective
    gradients = torch.autograd.grad(loss, list(projector.parameters()))
    assert [loss.item(), norm(gradients)] == pytest.approx([0.02941541282, 0.07547516203], rel=1e-8)
    apart = cross_correlation(projector(first), projector(second), center=True)
    assert barlow_twins_loss(apart, 0.0051).item() == pytest.approx(0.02884093997, rel=1e-8)


def test_two_branches():
    """Values of megvii-research/BBN, lib/core/combiner.py, with ResNet-32 in epoch 101 of 200.

    Loss, norm of the gradient, logits of an image, five gradients of the first convolution, and
    the logits of the image in a test, where both branches see it.
    """
    model = filled(ResNet(32, 16, 10, branch_depth=1))
    objective = build_objective(
        c.CrossEntropy(),
        feature_size=128,
        counts=torch.tensor(COUNTS["exp0.01"]),
        classifier=c.LinearClassifier(),
        rebalanced=torch.tensor(COUNTS["exp0.01"][::-1]),
    ).double()
    images, others = waves(4, 3, 16, 16), waves(4, 3, 16, 16, start=1)
    share = torch.tensor(branch_share("parabolic", 100 / 200), dtype=torch.float64)
    partner = Partner((others,), torch.tensor([9, 7, 3, 8]), (share,))
    losses = objective(model, Batch((images,), torch.tensor([0, 0, 1, 3]), partner))
    losses.objective.backward()
    assert [
        losses.objective.item(),
        norm(parameter.grad for parameter in model.parameters()),
        *losses.logits[3].tolist(),
        *next(model.parameters()).grad.flatten()[:5].tolist(),
        *model.eval()(images)[3].tolist(),
    ] == pytest.approx(
        numbers(
            "12.11835319 69.00773114 -5.892810888 3.409440403 5.400047748 10.26903515 "
            "6.329808422 -15.28087286 6.545185629 2.904217373 13.80927546 2.040134203 "
            "0.1041123846 -0.007235187742 0.04904450477 0.03659126545 -0.01373820057 -2.43244598 "
            "8.233061802 8.575145157 7.386927098 6.718931032 -17.01036547 3.971615326 "
            "2.906508225 13.12280994 2.260776342"
        ),
        rel=1e-8,
    )
