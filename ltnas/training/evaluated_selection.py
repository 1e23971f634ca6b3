"""Selections that measure architectures with the weights of a trained supernet."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ltnas import config as c
from ltnas.axes.evolution import regularised_evolution
from ltnas.axes.removal import Decision, Tune, select_by_removal
from ltnas.data.long_tail import LongTail
from ltnas.data.measuring import balanced_positions, measuring_batches
from ltnas.data.seeds import generator
from ltnas.data.stream import Batch
from ltnas.models.restriction import restricted
from ltnas.models.search_network import SearchNetwork
from ltnas.space.drawing import draw_genotype, mutated_genotype
from ltnas.space.genotype import Genotype
from ltnas.training.search_module import SearchModule
from ltnas.training.search_parts import halves
from ltnas.training.shared_weights import Quality, SharedWeights
from ltnas.training.trainer import autocast
from ltnas.training.tuning import Tuning, tuning_stream

Records = list[dict[str, Any]]
"""Measurements of a selection, in plain types."""
MakeTuning = Callable[[SearchNetwork], Tune]
"""Makes what trains a network between the decisions on it."""


def selection_by_measuring(
    config: c.SearchConfig, module: SearchModule, accelerator: str, long_tail: LongTail
) -> tuple[Genotype, Records]:
    """Return the genotype of a search that has ended, and what was measured to find it.

    Args:
        config: configuration of the search.
        module: search module after its last epoch.
        accelerator: `gpu` or `cpu`.
        long_tail: training images; those of the architecture half are used.
    """
    selection = config.selection
    assert isinstance(selection, c.Evaluated)
    device = torch.device("cuda" if accelerator == "gpu" else "cpu")
    _, half = halves(config, long_tail)
    seed = config.data.subset_seed
    labels = long_tail.train.labels[torch.from_numpy(half)]
    drawn = balanced_positions(labels, selection.images, generator(seed))
    few, everything = (
        measuring_batches(long_tail, positions, size=config.batch_size, device=device)
        for positions in (half[drawn.numpy()], np.random.RandomState(seed).permutation(half))
    )
    module.cpu()
    shared = SharedWeights(module.network, device, autocast(accelerator, config.precision))

    def tuning(network: SearchNetwork) -> Tune:
        return Tuning(
            network,
            module.learner.objective,
            tuning_stream(config, long_tail, device),
            config=config,
            autocast=shared.autocast,
            device=device,
        )

    tunes = isinstance(selection, c.Removal) and selection.tune_epochs > 0
    return select_by_measuring(
        selection, shared, few, everything, config.seed, tuning if tunes else None
    )


def select_by_measuring(
    config: c.Evaluated,
    shared: SharedWeights,
    few: list[Batch],
    all_images: list[Batch],
    seed: int,
    tuning: MakeTuning | None = None,
) -> tuple[Genotype, Records]:
    """Return the genotype of a trained supernet, and what was measured to find it.

    Args:
        config: value on the selection axis.
        shared: measures architectures.
        few: images on which every architecture is measured.
        all_images: images on which finalists are measured.
        seed: seed of the run.
        tuning: makes the training between the decisions of a removal; None: there is none.
    """
    supernet = shared.network.supernet
    space = (supernet.operation_names, supernet.nodes, supernet.masks)
    draws = random.Random(seed)

    @cache
    def fitness(genotype: Genotype) -> Quality:
        return shared.of_genotype(genotype, few)

    def draw() -> Genotype:
        return draw_genotype(*space, draws, supernet.macro)

    match config:
        case c.Sampled():
            drawn = [draw() for _ in range(config.candidates)]
            measured = [(genotype, fitness(genotype)) for genotype in drawn]
        case c.Evolution():
            measured = regularised_evolution(
                fitness,
                draw,
                lambda parent: mutated_genotype(parent, *space, draws),
                evaluations=config.candidates,
                population=config.population,
                tournament=config.tournament,
                generator=draws,
            )
        case c.Removal():
            return _by_removal(shared, few, draws, tuning)
        case _:
            raise TypeError(f"{config} is not a selection that measures architectures")
    return _best(measured, config.finalists, lambda found: shared.of_genotype(found, all_images))


def _best(
    measured: list[tuple[Genotype, Quality]],
    finalists: int,
    final: Callable[[Genotype], Quality],
) -> tuple[Genotype, Records]:
    """Return the best of the best candidates, and the records of all.

    Args:
        measured: candidates with their quality.
        finalists: number of the best candidates that are measured again.
        final: measures a candidate on all images.
    """
    # A candidate that was measured twice is one finalist.
    ranked = sorted(dict(measured).items(), key=lambda pair: pair[1], reverse=True)[:finalists]
    finals = {genotype: final(genotype) for genotype, _ in ranked}
    records = [
        {
            "candidate": number,
            "accuracy": quality.accuracy,
            "loss": -quality.negative_loss,
            "final_accuracy": finals[genotype].accuracy if genotype in finals else None,
            "genotype": genotype.to_json(),
        }
        for number, (genotype, quality) in enumerate(measured)
    ]
    return max(finals, key=lambda genotype: finals[genotype]), records


def _by_removal(
    shared: SharedWeights, few: list[Batch], draws: random.Random, tuning: MakeTuning | None
) -> tuple[Genotype, Records]:
    """Return genotype and records of a selection by removal."""
    network, supernet = shared.network, shared.network.supernet
    copy = restricted(network, supernet.masks)

    def fitness(mixing: dict[str, Tensor]) -> Quality:
        return shared.of_mixing(copy, mixing, few)

    genotype, decisions = select_by_removal(
        network.expected_weights(),
        supernet.operation_names,
        supernet.nodes,
        fitness,
        draws,
        macro=supernet.macro,
        tune=tuning(copy) if tuning else None,
    )
    return genotype, [record for decision in decisions for record in _decision_records(decision)]


def _decision_records(decision: Decision) -> Records:
    """Return a record of each candidate of a decision."""
    return [
        {
            "cell": decision.kind,
            "node": decision.node,
            "source": source,
            "operation": operation,
            "accuracy_without": quality.accuracy,
            "loss_without": -quality.negative_loss,
            "kept": (source, operation) in decision.kept,
        }
        for (source, operation), quality in decision.without.items()
    ]
