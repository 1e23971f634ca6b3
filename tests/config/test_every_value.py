"""Every value of every axis reaches its builder, which tells it from all others of the axis."""

import contextlib
import inspect
from dataclasses import dataclass, replace
from itertools import combinations

import pytest
import torch
from modules import batches, search_module
from networks import search_network

from ltnas import config as c
from ltnas.axes.auxiliary_skip import build_auxiliary_skip
from ltnas.axes.build import build_relaxation, is_spectral
from ltnas.axes.edges import edge_deviation
from ltnas.axes.masks import EdgeMasks
from ltnas.axes.perturbations import build_perturbation
from ltnas.axes.progression import search_stages
from ltnas.axes.regularisers import build_regulariser
from ltnas.axes.schedules import share
from ltnas.axes.selection import select
from ltnas.data.augment import Normalisation
from ltnas.data.long_tail import load_long_tail
from ltnas.data.mixing import draw, mix_views
from ltnas.data.samplers import class_shares, epoch_order
from ltnas.data.stream import Batch, Partner
from ltnas.models.build import branch_depth, describe_network, described_network
from ltnas.models.classifiers import make_classifier
from ltnas.objectives.build import build_objective, build_views
from ltnas.space.cost import supernet_costs
from ltnas.space.edge_masks import edge_masks
from ltnas.space.genotype import load_genotype
from ltnas.space.layout import StateShape, cell_plans
from ltnas.training.evaluated_selection import select_by_measuring
from ltnas.training.proxy_selection import best_by_proxy
from ltnas.training.search_parts import build_data, build_search
from ltnas.training.shared_weights import SharedWeights

CLASSES = 4
COUNTS = torch.tensor([8.0, 6.0, 3.0, 1.0])
OPERATIONS = ("none", "skip_connect", "sep_conv_3x3")
EDGES = 5  # of two nodes


def numbers(*tensors):
    """Tensors as a tuple of floats, which can be compared."""
    return tuple(torch.cat([tensor.flatten().double() for tensor in tensors]).tolist())


def weights_of_edges():
    """Mixing weights of two nodes, [edges, operations], some above the default thresholds."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(EDGES, len(OPERATIONS), generator=generator)
    weights[0, 1:] = torch.tensor([0.9, 0.95])
    return weights


def relaxed(value):
    kinds = {"normal": weights_of_edges(), "reduce": weights_of_edges()}
    relaxation = build_relaxation(value, EDGES, len(OPERATIONS))
    relaxation.draw(torch.Generator().manual_seed(0))
    return numbers(*relaxation(kinds).values())


def auxiliary_skips(value):
    """Strength of the auxiliary skip connections in each of four epochs."""
    module, found = build_auxiliary_skip(value), []
    for epoch in range(4 if module is not None else 0):
        module.set_epoch(epoch, 4)
        found.append(float(module.strength))
    return found


def perturbed(value):
    """Mixing weights of a weight step whose loss is the sum of their squares."""
    module = build_perturbation(value, EDGES, len(OPERATIONS), sums_to_one=True)
    weights = {"normal": torch.rand(EDGES, len(OPERATIONS)).softmax(-1)}
    if module is None:
        return numbers(*weights.values())
    module.draw(torch.Generator().manual_seed(0))
    ones = {"normal": torch.ones(EDGES, len(OPERATIONS))}
    return numbers(
        *module(weights, ones, lambda found: (found["normal"] ** 2).sum(), list).values()
    )


def losses(value):
    """Losses of a batch with two mixed views, at the start and at the end of a run."""
    torch.manual_seed(0)
    classifier = c.CosineClassifier()
    states = [StateShape(8, halvings=1)]
    module = build_objective(value, 8, COUNTS, classifier, states=states).eval()
    batch = Batch(
        (torch.randn(CLASSES, 3, 2, 2), torch.randn(CLASSES, 3, 2, 2)),
        torch.arange(CLASSES),
        Partner((), torch.arange(CLASSES).flip(0), (torch.full((CLASSES,), 0.7),) * 2),
    )

    class Model(torch.nn.Module):
        feature_size = 8

        def __init__(self):
            super().__init__()
            self.classifier = make_classifier(classifier)(8, CLASSES)

        def features(self, images):
            return images.flatten(1)[:, :8]

        def last_states(self, images):
            return [self.features(images)[:, :, None, None]]

        def predictions(self, images):
            return (self.classifier(self.features(images)),)

    torch.manual_seed(1)
    model, results = Model(), []
    for progress in (0.0, 0.9):
        module.set_progress(progress)
        results.append(module(model, batch).objective.detach())
    return numbers(*results)


def order(value):
    """Order of the images of an epoch, and the share of each class."""
    labels = torch.arange(CLASSES).repeat_interleave(COUNTS.long())
    generator = torch.Generator().manual_seed(0)
    shares = class_shares(value, COUNTS, 0.5)
    return tuple(epoch_order(value, labels, 0.5, generator).tolist()), numbers(shares)


def trained_network(value):
    searched = isinstance(value, c.SearchedNetwork)
    config = c.RetrainConfig(
        network=value, genotype="darts_v2" if searched else "", cells=3, channels=4
    )
    genotype = load_genotype("darts_v2")[0] if searched else None
    network = described_network(describe_network(config, genotype, 32), CLASSES, "a test")
    return type(network), sum(parameter.numel() for parameter in network.parameters())


def mixed(value):
    generator = torch.Generator().manual_seed(0)
    views = torch.rand(4, 8, 3, 8, 8, generator=generator).unbind()
    images, shares = mix_views(value, views[:2], views[2:], draw(1.0, 8, 0))
    return numbers(*images, *shares)


def augmented(value):
    data, normalisation = c.Data(), Normalisation((0.5,) * 3, (0.5,) * 3)
    views = build_views(c.CrossEntropy(), data, normalisation, augmentation=value)
    return repr(views)


def regularised(value):
    plans = cell_plans(4, 3, {"normal": 2, "reduce": 2}, stem=12, stem_before=12)
    costs = supernet_costs(OPERATIONS, 2, plans=plans, side=8, partial_channels=1)
    term = build_regulariser(value, costs)
    kinds = {"normal": weights_of_edges(), "reduce": weights_of_edges()}
    masks = EdgeMasks(dict.fromkeys(kinds, ((True,),)))
    return None if term is None else float(term(kinds, kinds, masks))


def after_a_step(value):
    """Architecture parameters and classifier after a step of a search."""
    module = search_module(gradient=value)
    module.training_step(batches(), 0)
    network = module.network
    return numbers(*network.named_architecture().values(), *network.classifier.parameters())


def staged(value):
    """Stages of a search of twelve channels and six epochs; True if its space is pruned first."""
    config = c.SearchConfig(channels=12, epochs=6, progression=value)
    return search_stages(config), isinstance(value, c.ZeroShot)


def frozen(value):
    """Frozen operations of each edge after a step; None if none ever is."""
    module = search_module(stopping=value)
    module.training_step(batches(), 0)
    return None if module.stopping is None else numbers(module.stopping.frozen)


def measured(value):
    """Genotype by measurements of a tiny supernet, whose labels are random."""
    torch.manual_seed(0)
    network = search_network(nodes=2)
    batch = Batch((torch.randn(16, 3, 8, 8),), torch.randint(10, (16,)))
    shared = SharedWeights(network, torch.device("cpu"), contextlib.nullcontext)
    genotype, _ = select_by_measuring(value, shared, [batch], [batch], 0)
    return str(genotype)


def selected(value):
    if isinstance(value, c.BestByProxy):
        space = c.Space(nodes=2)
        small = {"space": space, "channels": 2, "cells": 3, "data": c.Data("digits", image_size=8)}
        config = c.SearchConfig(selection=replace(value, candidates=3, images=4), **small)
        long_tail = load_long_tail(config.data, config.imbalance)
        return str(best_by_proxy(config, long_tail, edge_masks(space))[0])
    if isinstance(value, c.Sampled | c.Evolution):
        few = {"candidates": 40, "finalists": 2}
        few |= {"population": 3, "tournament": 2} if isinstance(value, c.Evolution) else {}
        return measured(replace(value, **few))
    if isinstance(value, c.Evaluated):
        return measured(value)
    kinds = {"normal": weights_of_edges(), "reduce": weights_of_edges()}
    genotype, _ = select(value, kinds, OPERATIONS, 0)
    return str(genotype)


def supernets(value):
    """Names of the tensors of a supernet."""
    return tuple(search_network(channels=2, nodes=1, macro=value).state_dict())


def searched(**values):
    """Search module and data of a small search."""
    sizes = {"space": c.Space(nodes=1), "channels": 2, "cells": 3, "gradient": c.SecondOrder()}
    config = c.SearchConfig(**sizes, **values, data=c.Data("digits", image_size=8))
    long_tail = load_long_tail(config.data, config.imbalance)
    return build_search(config, "cpu", long_tail), build_data(config, long_tail)


def learners(value):
    """Learners of a search, and the streams of its images."""
    second = {} if isinstance(value, c.TwoLevels) else {"second_network": c.SecondSupernet()}
    module, data = searched(levels=value, **second)
    return type(module.levels), tuple(module.learners()), tuple(data.streams)


def student(value):
    model = searched(levels=c.Teaching(), second_network=value)[0].levels.learners["student"].model
    return type(model), sum(parameter.numel() for parameter in model.parameters())


BUILT = {
    "levels": learners,
    "second_network": student,
    "second_objective": losses,
    "second_sampler": order,
    "macro": supernets,
    "relaxation": relaxed,
    "edges": edge_deviation,
    "auxiliary_skip": auxiliary_skips,
    "weight_norm": is_spectral,
    "perturbation": perturbed,
    "operation_stopping": frozen,
    "objective": losses,
    "architecture_objective": losses,
    "crt_objective": losses,
    "sampler": order,
    "architecture_sampler": order,
    "rebalancing_sampler": order,
    "crt_sampler": order,
    "classifier": lambda value: type(make_classifier(value)(8, CLASSES)),
    "branches": branch_depth,
    "network": trained_network,
    "mix": mixed,
    "augmentation": augmented,
    "regulariser": regularised,
    "gradient": after_a_step,
    "schedule": lambda value: tuple(share(value, epoch, 8) for epoch in range(8)),
    "progression": staged,
    "selection": selected,
}
"""What the builder of each axis makes of a value, as something that can be compared."""
RESOLVED_BEFORE = {
    # The search takes the value of the supernet's weight step, and a stream without a mix does not
    # mix.
    **{"architecture_objective": "same", "architecture_sampler": "same", "mix": "none"},
    **{"second_objective": "same", "second_sampler": "same"},
}
"""Values that no builder sees."""
EQUAL = {("logit_adjusted", "balanced_softmax")}
"""Values that are two names of one loss: log n and log pi differ by a constant."""


def test_each_axis_has_its_builder_here():
    assert set(BUILT) == set(c.AXES)


@pytest.mark.parametrize("axis", c.AXES)
def test_every_value_is_built_and_differs_from_the_others(axis):
    results = {
        name: BUILT[axis](kind())
        for name, kind in c.AXES[axis].items()
        if RESOLVED_BEFORE.get(axis) != name
    }
    equal = {pair for pair in combinations(results, 2) if results[pair[0]] == results[pair[1]]}
    assert equal == (EQUAL if "objective" in axis else set())


@pytest.mark.parametrize("axis", c.AXES)
def test_a_value_of_no_table_is_refused(axis):
    kinds = list(c.AXES[axis].values())
    base = next(
        base for base in inspect.getmro(kinds[0]) if all(issubclass(kind, base) for kind in kinds)
    )

    @dataclass
    class Unknown(base):
        pass

    with pytest.raises(TypeError, match="Unknown"):
        BUILT[axis](Unknown())


@pytest.mark.parametrize("axis", RESOLVED_BEFORE)
def test_builders_refuse_the_values_that_are_resolved_before(axis):
    with pytest.raises(TypeError, match="is not a value on the"):
        BUILT[axis](c.AXES[axis][RESOLVED_BEFORE[axis]]())


def test_an_unknown_loss_is_refused():
    @dataclass
    class Unknown(c.Classification):
        pass

    with pytest.raises(TypeError, match="Unknown"):
        losses(Unknown())
