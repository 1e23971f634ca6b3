"""ResNet-32 compared with values of kaidic/LDAM-DRW, models/resnet_cifar.py.

The authors' code was run in float64 with the weights and images of `official_inputs`.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from official_inputs import COUNTS, filled, norm, numbers, waves

from ltnas import config as c
from ltnas.models.classifiers import make_classifier
from ltnas.models.resnet import ResNet
from ltnas.objectives.build import build_objective

LABELS = torch.tensor([0, 0, 1, 3])


def values(model, logits, loss):
    """Loss, norm of its gradient, logits of an image, five gradients of the first convolution."""
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    first = gradients[0].flatten()[:5].tolist()
    return [loss.item(), norm(gradients), *logits[3].tolist(), *first]


@pytest.mark.parametrize(
    ("branches", "classifier", "parameters"),
    [
        (None, c.LinearClassifier(), 464_154),
        (None, c.CosineClassifier(), 464_144),
        (1, c.LinearClassifier(), 538_778),  # megvii-research/BBN, lib/net/network.py
    ],
)
def test_number_of_parameters(branches, classifier, parameters):
    model = ResNet(32, 16, 10, make_classifier(classifier), branches)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_outputs_and_gradients():
    model, images = filled(ResNet(32, 16, 10)), waves(4, 3, 16, 16)
    logits = model(images)
    found = values(model, logits, F.cross_entropy(logits, LABELS))
    assert found == pytest.approx(
        numbers(
            "11.88104537 44.80745866 -8.198051109 5.926870485 2.469861882 2.565856264 "
            "0.3147975686 9.530342758 7.027322824 3.702132153 2.852395867 6.627525098 "
            "0.1155953948 -0.147081875 0.1445538732 0.06722578919 -0.1415411359"
        ),
        rel=1e-8,
    )
    # With the running statistics of one step.
    expected = numbers(
        "-11.44277982 4.783329496 6.03589051 6.028313417 4.190219739 7.580466676 "
        "6.798574387 2.515918033 2.770901201 6.4926036"
    )
    assert model.eval()(images)[3].tolist() == pytest.approx(expected, rel=1e-8)


def test_the_second_stage_of_ldam_drw():
    """A cosine classifier and LDAM with class weights, exp0.01; logits are 30 times the cosines."""
    classifier = c.CosineClassifier()
    model = filled(ResNet(32, 16, 10, make_classifier(classifier)))
    config = c.LdamDrw(weight_normalisation="batch")
    objective = build_objective(config, 64, torch.tensor(COUNTS["exp0.01"]), classifier)
    objective.set_progress(160 / 200)
    logits = model(waves(4, 3, 16, 16))
    found = values(model, logits, objective.loss(logits, LABELS))
    assert found == pytest.approx(
        numbers(
            "13.05606594 28.89893735 -6.283286505 3.83596797 1.548925682 1.515372243 "
            "-0.1325546342 6.507273847 4.815658231 2.481364046 1.69100703 4.629578645 "
            "0.03827550073 -0.08340610737 0.07666832384 0.06792444018 -0.03703418835"
        ),
        rel=1e-6,
    )


@pytest.mark.parametrize(
    ("classifier", "ours", "theirs"),
    [
        # PyTorch's linear layer, uniform in [-1/8, 1/8], where theirs has the normal distribution
        # of He et al. 2015
        (c.LinearClassifier(), 1 / math.sqrt(3 * 64), math.sqrt(2 / 64)),
        # vectors whose length does not matter to cosines; theirs have length 1
        (c.CosineClassifier(), 1 / math.sqrt(3 * 64), math.sqrt(1 / 64)),
    ],
)
def test_the_last_layer_starts_with_smaller_weights(classifier, ours, theirs):
    torch.manual_seed(0)
    weight = make_classifier(classifier)(64, 1000).weight
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(ours, rel=0.01)
    assert theirs / ours > 1.5
