"""python -m ltnas.search: find an architecture on long-tailed images.

Reads from top to bottom: data, search network, trainer, genotype, files.
"""

from __future__ import annotations

if __name__ == "__main__":  # above the other imports, so that --help does not load torch
    from ltnas.cli.command import main

    main("search")

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from rich.console import Console
from safetensors.torch import save

from ltnas.axes.auxiliary_skip import build_auxiliary_skip
from ltnas.axes.build import build_relaxation
from ltnas.axes.edges import edge_deviation
from ltnas.axes.regularisers import build_regulariser
from ltnas.axes.selection import select
from ltnas.callbacks.architecture import ArchitectureHistory
from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.callbacks.collapse import CollapseWatch
from ltnas.callbacks.history import History
from ltnas.callbacks.progress import ProgressLine
from ltnas.cli.console import make_console, print_long_tail
from ltnas.config import (
    BarlowTwins,
    NoAuxiliarySkip,
    Objective,
    SameObjective,
    SameSampler,
    Sampler,
    SearchConfig,
    TwoBranches,
)
from ltnas.data.long_tail import LongTail, describe_data, load_long_tail
from ltnas.data.module import LongTailData, Plan, second_stream
from ltnas.data.samplers import expected_counts
from ltnas.data.subset import Indices, stratified_halves
from ltnas.distributed.batch_norm import synchronise_batch_norm
from ltnas.loggers.choose import open_logger, pictures, publish
from ltnas.models.build import branch_depth
from ltnas.models.cell_design import CellDesign
from ltnas.models.classifiers import make_classifier
from ltnas.models.search_network import build_search_network
from ltnas.objectives import Objective as ObjectiveModule
from ltnas.objectives.build import build_objective, build_views
from ltnas.plots.architecture import plot_architecture
from ltnas.plots.cells import plot_cells
from ltnas.plots.curves import plot_curves
from ltnas.runs.atomic import atomically
from ltnas.runs.folder import RunFolder
from ltnas.runs.resume import open_run
from ltnas.runs.settings import write_settings
from ltnas.space.genotype import Genotype, parse_genotype
from ltnas.space.layout import KINDS, check_image_size, edges
from ltnas.training.compiling import compile_cells
from ltnas.training.learner import Learner
from ltnas.training.monitor import Pace
from ltnas.training.search_module import SearchModule
from ltnas.training.trainer import autocast, build_trainer, choose_accelerator, fit


def search(config: SearchConfig) -> Path:
    """Search, and leave genotype.json, history and pictures in a run folder.

    Returns:
        The run folder.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    console = make_console(config.trainer)
    accelerator = choose_accelerator(config.trainer, config.precision, config.compile)
    long_tail = load_long_tail(config.data, config.imbalance)
    check_image_size(long_tail.image_size, config.cells, auxiliary=False, stem="cifar")
    print_long_tail(console, f"{config.data.source} {config.imbalance.name}", long_tail)
    name = f"search-{config.scheme}-{config.imbalance.name}-s{config.seed}"
    with open_run(config, name, long_tail.content_checksum) as folder:
        write_settings(folder, config)
        if config.selection.reads_weights:
            _train_supernet(config, accelerator, long_tail, folder=folder, console=console)
        else:
            _select_without_training(config, long_tail, folder)
    return folder.path


def _select_without_training(config: SearchConfig, long_tail: LongTail, folder: RunFolder) -> None:
    """Write the genotype of a selection that does not depend on mixing weights."""
    space = config.space
    weights = dict.fromkeys(KINDS, torch.zeros(len(edges(space.nodes)), len(space.operations)))
    genotype, notes = select(config.selection, weights, space.operations, config.seed)
    with open_logger(config, folder, "search") as logger:
        _write_result(config, long_tail, folder, genotype, notes=notes, cost={})
        publish(config, logger, folder)


def _train_supernet(
    config: SearchConfig,
    accelerator: str,
    long_tail: LongTail,
    *,
    folder: RunFolder,
    console: Console,
) -> None:
    """Train the supernet, select the genotype, and write everything into the run folder."""
    module = build_search(config, accelerator, long_tail)
    history, architectures = History(folder), ArchitectureHistory(folder)
    watch = CollapseWatch(console, history, config.collapse, config.stop_on_collapse)
    with open_logger(config, folder, "search") as logger:
        callbacks = [
            history,
            architectures,
            watch,
            *pictures(config, folder),
            *([ProgressLine(console, config.scheme, history)] if config.logger.progress else []),
            EpochCheckpoint(folder.checkpoint),
        ]
        trainer = build_trainer(
            config,
            accelerator=accelerator,
            epochs=config.epochs,
            folder=folder,
            callbacks=callbacks,
            logger=logger,
        )
        fit(trainer, module, build_data(config, long_tail), folder.checkpoint)
        if not folder.writes:
            return
        genotype, notes = _selected(config, module, watch, architectures.genotypes)
        _write_architecture(folder, module)
        plot_architecture(folder)
        plot_curves(folder)
        for note in notes:
            console.print(f"note: {note}")
        cost = _cost(module, history) | {"collapse": watch.collapse and watch.collapse.reason}
        _write_result(config, long_tail, folder, genotype, notes=notes, cost=cost)
        publish(config, logger, folder)


def _selected(
    config: SearchConfig, module: SearchModule, watch: CollapseWatch, before: list[dict[str, Any]]
) -> tuple[Genotype, list[str]]:
    """Return the genotype of the search, and notes on what a reader must know of it.

    Args:
        config: configuration of the search.
        module: search module after its last epoch.
        watch: says if the search has collapsed, and when.
        before: genotypes of all epochs.
    """
    if config.stop_on_collapse and watch.collapse is not None:
        epoch = watch.collapse.healthy_epoch
        note = (
            f"stopped after epoch {len(before)}: {watch.collapse.reason}; this is the genotype of "
            f"epoch {epoch + 1}"
        )
        return parse_genotype(before[epoch], f"genotype of epoch {epoch + 1}"), [note]
    architecture = module.architecture()
    return architecture.genotype, architecture.notes


def build_search(config: SearchConfig, accelerator: str, long_tail: LongTail) -> SearchModule:
    """Build search network, objectives and steps, with weights drawn from the seed."""
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, verbose=False)
    design = cell_design(config)
    rows, columns = len(edges(design.nodes)), len(design.operations)
    network = build_search_network(
        design=design,
        channels=config.channels,
        cells=config.cells,
        classes=len(long_tail.classes),
        relaxation=build_relaxation(config.relaxation, edges=rows, operations=columns),
        initial_deviation=config.relaxation.initial_deviation,
        edge_deviation=edge_deviation(config.edges),
        auxiliary_skip=build_auxiliary_skip(config.auxiliary_skip),
        checkpointed=config.checkpoint_cells,
        classifier=make_classifier(config.classifier),
        branch_depth=branch_depth(config.branches),
    )
    learner = Learner(network, *_build_objectives(config, long_tail, network.feature_size))
    learner.to(memory_format=torch.channels_last)
    if config.trainer.processes > 1:
        synchronise_batch_norm(learner, accelerator)
    if config.compile:
        compile_cells(network)
    return SearchModule(
        learner=learner,
        regularise=build_regulariser(config.regulariser),
        gradient=config.gradient,
        schedule=config.schedule,
        selection=config.selection,
        weights=config.weights,
        architecture=config.architecture,
        hessian_every=config.collapse.hessian_every,
        epochs=config.epochs,
        tests=long_tail.test_sets,
        seed=config.seed,
        autocast=autocast(accelerator, config.precision),
        # The operations that are executed change from step to step, which no recording can follow.
        pace=Pace("off" if config.relaxation.one_operation else config.graphs, config.test_every),
    )


def cell_design(config: SearchConfig) -> CellDesign:
    """Return what the edges of the supernet have."""
    return CellDesign(
        operations=tuple(config.space.operations),
        nodes=config.space.nodes,
        partial_channels=config.partial_channels,
        auxiliary_skip=not isinstance(config.auxiliary_skip, NoAuxiliarySkip),
        separate_edges=config.relaxation.one_operation,
    )


def _architecture_choices(config: SearchConfig) -> tuple[Objective, Sampler]:
    """Return objective and sampler of the architecture step."""
    objective, sampler = config.architecture_objective, config.architecture_sampler
    return (
        config.objective if isinstance(objective, SameObjective) else objective,
        config.sampler if isinstance(sampler, SameSampler) else sampler,
    )


def _halves(config: SearchConfig, long_tail: LongTail) -> tuple[Indices, Indices]:
    """Return the positions of the training images for the weights and for the architecture.

    Where the architecture sees no images of its own, the weights have all of them.
    """
    labels = long_tail.train.labels.numpy()
    if not config.gradient.needs_images:
        everything = np.arange(len(labels))
        return everything, everything
    return stratified_halves(labels, config.data.subset_seed)


def _build_objectives(
    config: SearchConfig, long_tail: LongTail, feature_size: int
) -> tuple[ObjectiveModule, ObjectiveModule]:
    """Build the objectives of both steps, each with the class counts of its own stream."""
    labels, two = long_tail.train.labels, isinstance(config.branches, TwoBranches)

    def build(objective: Objective, sampler: Sampler, half: Indices) -> ObjectiveModule:
        counts = labels[torch.from_numpy(half)].bincount(minlength=len(long_tail.classes))
        return build_objective(
            objective,
            feature_size=feature_size,
            counts=expected_counts(sampler, counts),
            classifier=config.classifier,
            rebalanced=expected_counts(config.rebalancing_sampler, counts) if two else None,
        )

    of_weights, of_architecture = _halves(config, long_tail)
    weights = build(config.objective, config.sampler, of_weights)
    objective, sampler = _architecture_choices(config)
    if isinstance(objective, BarlowTwins) or not config.gradient.needs_images:
        # Both steps share one projector, which only the weight step trains. A search of a single
        # level has one objective.
        return weights, weights
    return weights, build(objective, sampler, of_architecture)


def build_data(config: SearchConfig, long_tail: LongTail) -> LongTailData:
    """Build the streams of the steps: a stratified half of the training images each."""

    def plan(objective: Objective, sampler: Sampler, half: Indices) -> Plan:
        views = build_views(objective, config.data, long_tail.normalisation)
        rebalancing, mixing = second_stream(config.branches, config.rebalancing_sampler)
        return Plan(half, sampler, views, rebalancing=rebalancing, mixing=mixing)

    of_weights, of_architecture = _halves(config, long_tail)
    plans = {"weights": plan(config.objective, config.sampler, of_weights)}
    if config.gradient.needs_images:
        plans["architecture"] = plan(*_architecture_choices(config), of_architecture)
    return LongTailData(
        long_tail,
        streams=plans,
        batch_size=config.batch_size,
        seed=config.seed,
        epochs=config.epochs,
    )


def _cost(module: SearchModule, history: History) -> dict[str, Any]:
    """Return what the search took and reached, in plain types."""
    return {
        "supernet_parameters": sum(
            weight.numel() for weight in module.network.weight_parameters().values()
        ),
        "epochs": len(history.rows),
        "seconds": round(history.seconds, 1),
        "peak_memory_gib": history.peak_memory_gib,
        "supernet_accuracy": module.test_accuracies(),
    }


def _write_architecture(folder: RunFolder, module: SearchModule) -> None:
    """Write the architecture parameters."""
    network = module.network
    parameters = network.architecture_parameters()
    if network.edge_parameters is not None:
        edge_parameters = network.edge_parameters.items()
        parameters |= {f"edges_{kind}": values for kind, values in edge_parameters}
    with atomically(folder.path / "architecture.safetensors") as partial:
        partial.write_bytes(
            save({name: value.detach().cpu() for name, value in parameters.items()})
        )


def _write_result(
    config: SearchConfig,
    long_tail: LongTail,
    folder: RunFolder,
    genotype: Genotype,
    *,
    notes: list[str],
    cost: dict[str, Any],
) -> None:
    """Write genotype.json, its pictures, and last metrics.json, which marks the run as finished."""
    if not folder.writes:
        return
    origin = {"scheme": config.scheme, "imbalance": config.imbalance.name, "seed": config.seed}
    subset = {"subset_checksum": long_tail.checksum}
    folder.write_json("genotype.json", {**origin, **subset, **genotype.to_json()})
    plot_cells(folder)
    folder.write_json(
        "metrics.json",
        {
            "kind": "search",
            **origin,
            "epochs": cost.pop("epochs", 0),
            "data": describe_data(config.data.source, long_tail),
            **cost,
            "skip_connections": genotype.count("skip_connect"),
            "notes": notes,
            "provenance": folder.read_json("provenance.json"),
        },
    )
