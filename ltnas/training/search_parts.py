"""The parts of a supernet search that its configuration describes: module and data."""

from __future__ import annotations

from dataclasses import replace

import lightning as L
import numpy as np
import torch

from ltnas.axes.auxiliary_skip import build_auxiliary_skip
from ltnas.axes.build import build_relaxation, is_spectral
from ltnas.axes.edges import edge_deviation
from ltnas.axes.perturbations import build_perturbation
from ltnas.axes.progression import SearchStage, search_stages
from ltnas.axes.regularisers import build_regulariser
from ltnas.config import (
    Data,
    NoAuxiliarySkip,
    Objective,
    SameObjective,
    SameSampler,
    Sampler,
    SearchConfig,
    SelfSupervised,
    TwoBranches,
)
from ltnas.data.long_tail import LongTail
from ltnas.data.module import LongTailData, Plan, second_stream
from ltnas.data.samplers import expected_counts
from ltnas.data.seeds import derived_seed
from ltnas.data.subset import Indices, stratified_halves
from ltnas.diagnostics.ranks import build_measure
from ltnas.distributed.batch_norm import synchronise_batch_norm
from ltnas.models.build import branch_depth
from ltnas.models.build_supernet import build_supernet
from ltnas.models.cell_design import CellDesign
from ltnas.models.classifiers import make_classifier
from ltnas.models.search_network import SearchNetwork, build_search_network
from ltnas.models.supernet import Supernet
from ltnas.objectives import Objective as ObjectiveModule
from ltnas.objectives.build import build_objective, build_views
from ltnas.space.cost import Cost, supernet_costs
from ltnas.space.edge_masks import Masks, edge_masks
from ltnas.space.layout import chosen_stem, edges
from ltnas.training.compiling import compile_cells
from ltnas.training.learner import Learner
from ltnas.training.monitor import Pace
from ltnas.training.operation_stopping import build_operation_stopping
from ltnas.training.search_losses import SearchLosses
from ltnas.training.search_module import SearchModule
from ltnas.training.second_learners import MakePlan, build_levels, second_plans
from ltnas.training.trainer import autocast


def build_search(
    config: SearchConfig,
    accelerator: str,
    long_tail: LongTail,
    *,
    stage: SearchStage | None = None,
    masks: Masks | None = None,
    second: LongTail | None = None,
) -> SearchModule:
    """Build search network, objectives and steps of a stage, with weights drawn from the seed.

    Args:
        config: configuration of the search.
        accelerator: `gpu` or `cpu`.
        long_tail: images.
        stage: stage of the search; None: the first.
        masks: candidate operations that each edge has, by kind of cell; None: those of the space.
        second: images of the interleaved learners beside the first; None: those of the first.
    """
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    stage = stage or search_stages(config)[0]
    # The seed itself for the first stage, which most searches only have.
    seed = derived_seed(config.seed, stage.number) % 2**32 if stage.number else config.seed
    L.seed_everything(seed, verbose=False)
    design = cell_design(config, stage)
    stem = chosen_stem(config.stem, long_tail.image_size)
    rows, columns = len(edges(design.nodes)), len(design.operations)
    network = build_search_network(
        design=design,
        channels=config.channels,
        cells=stage.cells,
        classes=len(long_tail.classes),
        relaxation=build_relaxation(
            config.relaxation, edges=rows, operations=columns, kinds=config.macro.kinds
        ),
        initial_deviation=config.relaxation.initial_deviation,
        edge_deviation=edge_deviation(config.edges),
        auxiliary_skip=build_auxiliary_skip(config.auxiliary_skip),
        masks=masks or edge_masks(config.space, config.macro.kinds),
        checkpointed=config.checkpoint_cells,
        classifier=make_classifier(config.classifier),
        branch_depth=branch_depth(config.branches),
        macro=config.macro,
        stem=stem,
    )
    learner = Learner(network, *_build_objectives(config, long_tail, network))
    regularise = build_regulariser(
        config.regulariser, _costs(network.supernet, long_tail.image_size)
    )
    # After the supernet, whose initial weights do not depend on the other learners.
    levels = build_levels(
        config,
        long_tail,
        SearchLosses(learner, regularise),
        others=second or long_tail,
        half=halves(config, second or long_tail, config.second_data)[0],
        make_supernet=lambda: build_supernet(
            config.macro,
            design=design,
            channels=config.channels,
            cells=stage.cells,
            masks=network.supernet.masks,
            checkpointed=config.checkpoint_cells,
            branch_depth=None,
            stem=stem,
        ),
    )
    for part in (learner, *levels.learners.values()):
        part.to(memory_format=torch.channels_last)
        if config.trainer.processes > 1:
            synchronise_batch_norm(part, accelerator)
        if config.compile:
            compile_cells(part.model)
    return SearchModule(
        learner=learner,
        regularise=regularise,
        levels=levels,
        gradient=config.gradient,
        schedule=config.schedule,
        selection=config.selection,
        weights=config.weights,
        architecture=config.architecture,
        hessian_every=config.collapse.hessian_every,
        epochs=config.epochs,
        tests=long_tail.test_sets,
        seed=config.seed,
        stage=stage,
        autocast=autocast(accelerator, config.precision),
        # The operations that are executed change from step to step, which no recording can follow.
        perturbation=build_perturbation(
            config.perturbation,
            rows,
            columns,
            config.relaxation.sums_to_one,
            kinds=config.macro.kinds,
        ),
        stopping=build_operation_stopping(config.operation_stopping, learner),
        measure=build_measure(config.relaxation, long_tail.image_size),
        pace=Pace("off" if config.relaxation.one_operation else config.graphs, config.test_every),
    )


def cell_design(config: SearchConfig, stage: SearchStage) -> CellDesign:
    """Return what the edges of a stage's supernet have."""
    return CellDesign(
        operations=tuple(config.space.operations),
        nodes=config.space.nodes,
        partial_channels=stage.partial_channels,
        auxiliary_skip=not isinstance(config.auxiliary_skip, NoAuxiliarySkip),
        skip_dropout=stage.skip_dropout > 0,
        spectral=is_spectral(config.weight_norm),
        separate_edges=config.relaxation.one_operation,
    )


def _costs(supernet: Supernet, image_size: int) -> dict[str, list[list[list[Cost]]]]:
    """Return the costs of a supernet's operations for images of a size, see `supernet_costs`."""
    return supernet_costs(
        supernet.operation_names,
        supernet.nodes,
        plans=supernet.plans,
        side=supernet.first_side(image_size),
        partial_channels=supernet.design.partial_channels,
    )


def _architecture_choices(config: SearchConfig) -> tuple[Objective, Sampler]:
    """Return objective and sampler of the architecture step."""
    objective, sampler = config.architecture_objective, config.architecture_sampler
    return (
        config.objective if isinstance(objective, SameObjective) else objective,
        config.sampler if isinstance(sampler, SameSampler) else sampler,
    )


def halves(
    config: SearchConfig, long_tail: LongTail, data: Data | None = None
) -> tuple[Indices, Indices]:
    """Return the positions of the training images for the weights and for the architecture.

    Where neither the steps of the architecture nor its selection need images of their own, the
    weights have all of them.

    Args:
        config: configuration of the search.
        long_tail: images.
        data: configuration of the images; None: that of the first data set.
    """
    labels = long_tail.train.labels.numpy()
    if not config.gradient.needs_images and not config.selection.evaluates:
        everything = np.arange(len(labels))
        return everything, everything
    return stratified_halves(labels, (data or config.data).subset_seed)


def _build_objectives(
    config: SearchConfig, long_tail: LongTail, network: SearchNetwork
) -> tuple[ObjectiveModule, ObjectiveModule]:
    """Build the objectives of both steps, each with the class counts of its own stream."""
    two = isinstance(config.branches, TwoBranches)

    def build(objective: Objective, sampler: Sampler, half: Indices) -> ObjectiveModule:
        counts = long_tail.class_counts_of(half)
        return build_objective(
            objective,
            feature_size=network.feature_size,
            counts=expected_counts(sampler, counts),
            classifier=config.classifier,
            rebalanced=expected_counts(config.rebalancing_sampler, counts) if two else None,
            states=network.state_shapes,
            class_sizes=counts,
        )

    of_weights, of_architecture = halves(config, long_tail)
    weights = build(config.objective, config.sampler, of_weights)
    objective, sampler = _architecture_choices(config)
    if isinstance(objective, SelfSupervised) or not config.gradient.needs_images:
        # Both steps share one projector or decoder, which only the weight step trains. A search of
        # a single level has one objective.
        return weights, weights
    return weights, build(objective, sampler, of_architecture)


def build_data(
    config: SearchConfig,
    long_tail: LongTail,
    stage: SearchStage | None = None,
    second: LongTail | None = None,
) -> LongTailData:
    """Build the streams of the steps: a stratified half of the training images each.

    Args:
        config: configuration of the search.
        long_tail: images.
        stage: stage of the search; None: the first.
        second: images of the interleaved learners beside the first; None: those of the first.
    """
    of_weights, of_architecture = halves(config, long_tail)
    planned = _planning(config, config.data, long_tail)
    plans = {"weights": planned(config.objective, config.sampler, of_weights)}
    if config.gradient.needs_images:
        plans["architecture"] = planned(*_architecture_choices(config), of_architecture)
        others, data = second or long_tail, config.second_data or config.data
        described = second_plans(
            config, *halves(config, others, data), _planning(config, data, others)
        )
        plans |= {name: replace(plan, long_tail=second) for name, plan in described.items()}
    return LongTailData(
        long_tail,
        streams=plans,
        batch_size=config.batch_size,
        seed=config.seed,
        epochs=config.epochs,
        first_epoch=stage.first_epoch if stage else 0,
        placement=config.data.placement,
    )


def _planning(config: SearchConfig, data: Data, long_tail: LongTail) -> MakePlan:
    """Return a function that describes streams of a data set.

    Args:
        config: configuration of the search.
        data: configuration of the data set.
        long_tail: its images.
    """

    def plan(objective: Objective, sampler: Sampler, half: Indices) -> Plan:
        views = build_views(objective, data, long_tail.normalisation, size=long_tail.view_size)
        rebalancing, mixing = second_stream(config.branches, config.rebalancing_sampler)
        return Plan(half, sampler, views, rebalancing=rebalancing, mixing=mixing)

    return plan
