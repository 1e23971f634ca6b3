"""The broad discrete network: auxiliary classifier, stems, drop path, sizes of images."""

import pytest
import torch

from ltnas.config import RetrainConfig
from ltnas.errors import UserError
from ltnas.models.broad_network import BroadNetwork
from ltnas.models.cost import parameter_counts
from ltnas.retrain import check_sizes
from ltnas.space.genotype import CellGenotype, Edge, Genotype, load_genotype

CLASSES = 7


def network(cells=2, enhancement_cells=2, genotype=None, auxiliary=False, stem="cifar"):
    torch.manual_seed(1)
    return BroadNetwork(
        genotype or load_genotype("bnasv2_clr_v2")[0],
        4,
        cells,
        enhancement_cells,
        classes=CLASSES,
        auxiliary=auxiliary,
        stem=stem,
    )


def test_the_classifier_sees_all_scales():
    model = network().eval()
    x = torch.randn(2, 3, 8, 8)
    outputs = []
    for module in (*model.scales, *model.enhanced):
        module.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    features = model.features(x)
    assert [output.shape[1:] for output in outputs] == [
        *((4, 2, 2), (8, 2, 2)),
        *((16, 2, 2), (64, 2, 2)),
    ]
    torch.testing.assert_close(features, torch.cat([o.mean((2, 3)) for o in outputs], 1))
    assert features.shape == (2, model.feature_size)


def test_the_auxiliary_classifier_sees_the_last_broad_cell_and_changes_nothing():
    model = network(cells=3, auxiliary=True).eval()
    seen = []
    model.cells[2].register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = torch.randn(2, 3, 32, 32)
    logits, auxiliary = model.predictions(x)
    assert torch.equal(auxiliary, model.auxiliary_head(seen[0]))
    assert torch.equal(logits, model(x))
    without = parameter_counts(network(cells=3))
    assert parameter_counts(model)["parameters"] == without["parameters"]
    assert torch.equal(network().eval().predictions(x)[0], network().eval()(x))


@pytest.mark.parametrize("cells", [2, 5])
def test_the_stem_of_imagenet(cells):
    model = network(cells=cells, stem="imagenet", auxiliary=True)
    for logits in model.predictions(torch.randn(2, 3, 224, 224)):
        assert logits.shape == (2, CLASSES)
        assert logits.isfinite().all()


def test_drop_path_drops_operations_in_training_alone():
    model, x = network(), torch.randn(4, 3, 8, 8)
    model.set_drop_path(0.5)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_cells_with_fewer_outputs():
    edges = (Edge("sep_conv_3x3", 2, 0), Edge("skip_connect", 3, 1))
    cells = {"normal": CellGenotype(edges, (2, 3)), "enhancement": CellGenotype(edges, (3,))}
    model = network(genotype=Genotype(cells, "broad"))
    assert model.feature_size == 4 + 8 + 16 + 16
    model(torch.randn(4, 3, 8, 8)).square().sum().backward()
    unused = {name for name, value in model.named_parameters() if value.grad is None}
    # The only operation on the first input of the enhancement cells leads to no output.
    assert all(name.startswith(("cells.2.", "cells.3.", "bridges.0.")) for name in unused)


@pytest.mark.parametrize(
    ("settings", "size", "message"),
    [
        ({"cells": 1}, 32, "cells=1 in a broad network: each of its two blocks needs"),
        ({}, 30, "images of 30x30 pixels cannot be halved as often as 20 cells with stem=cifar"),
        ({}, 28, "images of 28x28 pixels leave 7x7 for the auxiliary classifier"),
        ({"stem": "imagenet"}, 48, "images of 48x48 pixels cannot be halved"),
    ],
)
def test_sizes_that_do_not_fit(settings, size, message):
    config = RetrainConfig(genotype="a", **settings)
    with pytest.raises(UserError) as caught:
        check_sizes(config, "broad", size)
    assert str(caught.value).startswith(message)
