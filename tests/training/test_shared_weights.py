"""Architectures measured with the weights of a supernet."""

import contextlib
import math

import pytest
import torch
from networks import search_network

from ltnas import config as c
from ltnas.data.stream import Batch
from ltnas.space.drawing import random_genotype
from ltnas.space.edge_masks import full_mask
from ltnas.training.evaluated_selection import select_by_measuring
from ltnas.training.shared_weights import Quality, SharedWeights, quality

NODES = 2
KINDS = ("normal", "reduce")


def test_quality_is_the_mean_recall_and_the_mean_loss():
    logits = torch.tensor([[2.0, 0.0, 0.0]] * 3 + [[0.0, 0.0, 2.0]])
    labels = torch.tensor([0, 0, 1, 2])  # of class 0 all are right, of 1 none, of 2 all
    found = quality(logits, labels)
    assert found.accuracy == pytest.approx(2 / 3)
    total = math.log(math.exp(2) + 2)
    assert found.negative_loss == pytest.approx(-(3 * (total - 2) + total) / 4)


def test_a_class_without_images_does_not_count():
    found = quality(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 0]))
    assert found.accuracy == 1


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 8, 3, 8, 8, generator=generator)
    labels = torch.randint(10, (2, 8), generator=generator)
    return [Batch((views,), of_views) for views, of_views in zip(images, labels, strict=True)]


@pytest.fixture
def shared():
    torch.manual_seed(0)
    return SharedWeights(search_network(nodes=NODES), torch.device("cpu"), contextlib.nullcontext)


def test_a_genotype_is_measured_with_the_statistics_of_the_batch(shared, batches):
    before = {name: value.clone() for name, value in shared.network.state_dict().items()}
    genotype = random_genotype(c.OPERATIONS, NODES, 0)
    first = shared.of_genotype(genotype, batches)
    for module in shared.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.fill_(1e3)
    assert shared.of_genotype(genotype, batches) == first
    for name, value in shared.network.named_parameters():
        assert torch.equal(value, before[name])


def test_the_operation_noise_draws_the_same_for_every_architecture(batches):
    torch.manual_seed(0)
    names = ("noise", "sep_conv_3x3")
    network = search_network(names, nodes=NODES)
    shared = SharedWeights(network, torch.device("cpu"), contextlib.nullcontext)
    genotype = next(
        found
        for found in (random_genotype(names, NODES, seed) for seed in range(20))
        if found.count("noise") > 2
    )
    assert shared.of_genotype(genotype, batches) == shared.of_genotype(genotype, batches)


SELECTIONS = [
    c.Sampled(images=8, candidates=12, finalists=3),
    c.Evolution(images=8, candidates=12, finalists=3, population=4, tournament=2),
]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_best_finalist_on_all_images_is_chosen(shared, batches, selection, monkeypatch):
    def of_genotype(self, genotype, batches):
        """Convolutions are good on few images, dilated ones on all images."""
        wanted = ("dil",) if len(batches) == 2 else ("sep", "dil")
        names = [
            edge.operation
            for edge in (*genotype.cell("normal").edges, *genotype.cell("reduce").edges)
        ]
        return Quality(sum(name.startswith(wanted) for name in names) / 8, 0.0)

    monkeypatch.setattr(SharedWeights, "of_genotype", of_genotype)
    genotype, records = select_by_measuring(selection, shared, batches[:1], batches, 0)
    assert len(records) == 12
    finals = [record for record in records if record["final_accuracy"] is not None]
    assert len({str(record["genotype"]) for record in finals}) == 3
    assert (
        min(r["accuracy"] for r in finals)
        == sorted({str(r["genotype"]): r["accuracy"] for r in records}.values(), reverse=True)[2]
    )
    best = max(finals, key=lambda record: record["final_accuracy"])
    assert genotype.to_json() == best["genotype"]


@pytest.mark.parametrize("selection", [*SELECTIONS, c.Removal(images=8)])
def test_a_selection_is_a_function_of_its_arguments(shared, batches, selection):
    arguments = (selection, shared, batches[:1], batches)
    first, second, other = (select_by_measuring(*arguments, seed) for seed in (0, 0, 1))
    assert first == second
    assert other[1] != first[1]


def test_removal_measures_the_mixture_without_each_operation(shared, batches):
    records = select_by_measuring(c.Removal(images=8), shared, batches[:1], batches, 0)[1]
    # 7 operations on 5 edges, then 2 and 3 edges into the two nodes, in both cells.
    assert len(records) == 2 * (7 * 5 + 2 + 3)
    first = records[0]
    network = shared.network
    mixing = network.expected_weights()
    row = [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)].index((first["node"], first["source"]))
    weights = mixing[first["cell"]][row]
    weights[c.OPERATIONS.index(first["operation"])] = 0
    mixing[first["cell"]][row] = weights / weights.sum()
    assert network.supernet.masks == dict.fromkeys(KINDS, full_mask(NODES, 8))
    network.train()
    with torch.no_grad():
        expected = quality(network(batches[0].views[0], mixing), batches[0].labels)
    assert first["accuracy_without"] == pytest.approx(expected.accuracy)
    assert first["loss_without"] == pytest.approx(-expected.negative_loss, rel=1e-5)
