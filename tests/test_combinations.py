"""Every pair of values on all axes of a search runs together, or is refused in one line.

Configurations are put together so that few of them hold all pairs that are allowed (a covering
array, made greedily); one step of each is taken. Two losses, or two samplers, do not meet in a
step: each step has its own loss and its own stream. Of these pairs it is only tested that a
configuration may hold them.
"""

import functools
import random
from dataclasses import fields
from itertools import combinations

import pytest
import torch

from ltnas import config as c
from ltnas.axes.progression import search_stages
from ltnas.config.axis import name_of, table_of
from ltnas.data.long_tail import load_long_tail
from ltnas.errors import UserError
from ltnas.training.evaluated_selection import selection_by_measuring
from ltnas.training.search_module import SearchModule
from ltnas.training.search_parts import build_data, build_search

FIELDS = {declared.name: declared for declared in fields(c.SearchConfig)}
TABLES = {
    name: dict(table)
    for name, declared in FIELDS.items()
    if (table := table_of(declared)) is not None
}
"""Values of each axis by name."""
# Small enough for the network of this test.
TABLES["progression"] |= {
    "deepen": lambda: c.Deepen(operations=[3, 2], added_cells=[0, 1], skip_dropout=[0.0, 0.4]),
    "widen": lambda: c.Widen(operations=[3, 2], partial_channels=[2, 1]),
}
TABLES["selection"] |= {
    "sampled": lambda: c.Sampled(images=8, candidates=2, finalists=1),
    "evolution": lambda: c.Evolution(images=8, candidates=3, finalists=1, population=2),
    "removal": lambda: c.Removal(images=8, tune_epochs=0),
}
TABLES["second_network"] |= {
    "resnet20": lambda: c.ResNet20(depth=8, width=4),
    "resnet32": lambda: c.ResNet32(depth=14, width=4),
}
for axis in ("objective", "second_objective"):
    TABLES[axis] |= {
        "barlow_twins": lambda: c.BarlowTwins(hidden=8, outputs=8),
        "masked_reconstruction": lambda: c.MaskedReconstruction(decoder_channels=8),
    }
# A loss that is for ltnas.retrain alone, whatever the rest.
for axis in ("objective", "architecture_objective", "second_objective"):
    del TABLES[axis]["mixture_consistency"]
OPERATIONS = ("none", "skip_connect", "dil_conv_3x3")
SETTINGS = {"partial_channels": (1, 2), "checkpoint_cells": (False, True)}
"""Values of keys that are no axes, but change what a step computes."""
CHOICES = {axis: tuple(table) for axis, table in TABLES.items()} | SETTINGS
UNLABELLED = ("barlow_twins", "masked_reconstruction")
# A small student: that of 18 layers takes a second of each step.
TAUGHT = {"levels": "teaching", "gradient": "second_order", "second_network": "resnet20"}
INTERLEAVED = {
    "levels": "interleaving",
    "gradient": "second_order",
    "second_network": "supernet",
}
COMPANIONS = (
    ("regulariser", "zero_one_l1", {"relaxation": "sigmoid"}),
    ("regulariser", "zero_one_l2", {"relaxation": "sigmoid"}),
    ("regulariser", "dirichlet_divergence", {"relaxation": "dirichlet"}),
    ("selection", "threshold_sparse", {"relaxation": "sigmoid"}),
    ("selection", "threshold_edge", {"relaxation": "sigmoid"}),
    ("objective", "ldam", {"classifier": "cosine"}),
    ("objective", "ldam_drw", {"classifier": "cosine"}),
    ("architecture_objective", "ldam", {"classifier": "cosine"}),
    ("architecture_objective", "ldam_drw", {"classifier": "cosine"}),
    *(("architecture_objective", name, {"objective": name}) for name in UNLABELLED),
    ("second_objective", "ldam", {"classifier": "cosine", **TAUGHT}),
    ("second_objective", "ldam_drw", {"classifier": "cosine", **TAUGHT}),
    *(
        ("second_objective", name, TAUGHT)
        for name in TABLES["second_objective"]
        if name not in ("same", "ldam", "ldam_drw", *UNLABELLED)
    ),
    *(("second_objective", name, INTERLEAVED) for name in UNLABELLED),
    *(("second_sampler", name, TAUGHT) for name in TABLES["second_sampler"] if name != "same"),
    *(("second_network", name, TAUGHT) for name in ("resnet20", "resnet32", "supernet")),
    ("levels", "teaching", TAUGHT),
    ("levels", "self_explanation", TAUGHT | {"levels": "self_explanation"}),
    ("levels", "interleaving", INTERLEAVED),
    *(
        ("rebalancing_sampler", name, {"branches": "two"})
        for name in TABLES["rebalancing_sampler"]
        if name != "reversed"
    ),
)
"""Values that need another one to make sense."""
APART = (
    ("objective", "architecture_objective", "second_objective"),
    ("sampler", "architecture_sampler", "rebalancing_sampler", "second_sampler"),
)
"""Axes whose values never meet in one step."""
DEFAULTS = {axis: names[0] for axis, names in SETTINGS.items()} | {
    axis: name_of(axis, table_of(FIELDS[axis]), value)
    for axis, value in vars(c.SearchConfig()).items()
    if axis in TABLES
}


def made(chosen):
    """Return the configuration of a choice on each axis."""
    values = {
        axis: TABLES[axis][name]() if axis in TABLES else name for axis, name in chosen.items()
    }
    space = c.Space(list(OPERATIONS), nodes=1)
    sizes = {"channels": 4, "cells": 3, "epochs": 4, "batch_size": 8}
    data = c.Data("digits", image_size=8)
    return c.SearchConfig(
        space=space, data=data, imbalance=c.Imbalance("exp", 0.1), **sizes, **values
    )


def refusal(chosen):
    """Return the message that refuses a choice, or None."""
    try:
        made(chosen)
    except UserError as error:
        return str(error)
    return None


def start(pair):
    """Return a choice on all axes that holds a pair, with what its values need."""
    return DEFAULTS | companions(pair) | dict(pair)


def companions(values):
    """Return what values on axes need to make sense."""
    needed = {}
    for axis, name, others in COMPANIONS:
        if (axis, name) in values:
            needed |= others
    return needed


def pairs_of(chosen):
    return set(map(frozenset, combinations(chosen.items(), 2)))


def apart(pair):
    """True for two values that never meet in one step."""
    return any({axis for axis, _ in pair} <= set(axes) for axes in APART)


def improved(chosen, axis, fixed, left):
    """Return a choice with a value of an axis, and what it needs, that holds more pairs left.

    Values of the axes in `fixed` stay.
    """
    others = [(key, value) for key, value in chosen.items() if key != axis]
    gains = {
        name: sum(frozenset(((axis, name), other)) in left for other in others)
        for name in CHOICES[axis]
    }
    for name in sorted(gains, key=gains.__getitem__, reverse=True):
        if gains[name] <= gains[chosen[axis]]:
            break
        needed = companions({(axis, name)})
        candidates = [{**chosen, axis: name}]
        if needed:
            candidates.append({**chosen, **needed, axis: name})
        for candidate in candidates:
            if {key: candidate[key] for key in fixed} != fixed or refusal(candidate) is not None:
                continue
            if not needed or len(pairs_of(candidate) & left) > len(pairs_of(chosen) & left):
                return candidate
    return chosen


@functools.cache
def covering():
    """Return the messages of refused pairs, and choices that hold all other pairs."""
    generator, refused, rows = random.Random(0), {}, []
    singles = [(axis, name) for axis, names in sorted(CHOICES.items()) for name in names]
    order = [
        pair for pair in combinations(singles, 2) if pair[0][0] != pair[1][0] and not apart(pair)
    ]
    left = set(map(frozenset, order))
    for pair in order:
        if frozenset(pair) not in left:
            continue
        chosen = start(pair)
        message = refusal(chosen)
        if message is not None:
            refused[pair] = message
            left.discard(frozenset(pair))
            continue
        axes = [axis for axis in CHOICES if axis not in dict(pair)]
        # Until no value of an axis would hold more pairs that are left.
        before = None
        while before != chosen:
            before = dict(chosen)
            generator.shuffle(axes)
            for axis in axes:
                chosen = improved(chosen, axis, dict(pair), left)
        rows.append(chosen)
        left -= pairs_of(chosen)
    return refused, rows


PARTS = 8
"""Number of tests that the configurations are divided into."""


def test_refusals_are_one_line_that_names_a_key():
    refused, _ = covering()
    for pair, message in refused.items():
        assert "\n" not in message, pair
        assert "=" in message, pair


def test_values_that_never_meet_may_be_chosen_together():
    singles = [(axis, name) for axes in APART for axis in axes for name in CHOICES[axis]]
    pairs = [pair for pair in combinations(singles, 2) if apart(pair) and pair[0][0] != pair[1][0]]
    refused = [refusal(start(pair)) for pair in pairs]
    messages = [message for message in refused if message is not None]
    reasons = (*UNLABELLED, "ldam", "branches=two")
    assert all(any(reason in message for reason in reasons) for message in messages)
    assert len(messages) < len(pairs) / 5


def test_most_pairs_are_allowed():
    """A check that refuses too much would leave little to run."""
    refused, rows = covering()
    held = set().union(*(pairs_of(row) for row in rows))
    assert len(held) > 5 * len(refused)


class Standing:
    """Stands for the trainer: one process on the CPU, in its first epoch."""

    global_rank, world_size, num_training_batches, current_epoch = 0, 1, 1, 0

    class strategy:
        root_device = torch.device("cpu")


class Stepped(SearchModule):
    """A search module whose steps are called by hand."""

    @property
    def trainer(self):
        return self.standing


@pytest.fixture(scope="module")
def long_tail():
    config = made(DEFAULTS)
    return load_long_tail(config.data, config.imbalance)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_step_of_every_pair_that_is_allowed(long_tail, part):
    _, rows = covering()
    for chosen in rows[part::PARTS]:
        config = made(chosen)
        if not config.selection.reads_weights:
            continue  # no supernet is trained
        stage = search_stages(config)[-1]
        module = build_search(config, "cpu", long_tail, stage=stage)
        data = build_data(config, long_tail, stage)
        module.__class__ = Stepped
        module.standing, data.trainer = Standing(), Standing()
        module.standing.optimizers = module.configure_optimizers()
        data.setup("fit")
        batches, _, _ = next(iter(data.train_dataloader()))
        module.on_train_epoch_start()
        module.hessian_every = 0
        module.training_step(batches, 0)
        for name, value in module.latest().items():
            assert torch.tensor(value).isfinite(), (name, chosen)
        broken = [n for n, v in module.learner.state_dict().items() if not v.isfinite().all()]
        assert not broken, (broken, chosen)
        assert module.architecture().genotype, chosen
        if config.selection.evaluates:
            genotype, _ = selection_by_measuring(config, module, "cpu", long_tail)
            assert tuple(genotype.cells) == config.macro.kinds, chosen
