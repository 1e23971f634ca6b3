"""python -m ltnas.search: find an architecture on long-tailed images.

Reads from top to bottom: data, supernet, trainer, genotype, files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltnas.cli.command import run_command
from ltnas.config import (
    BarlowTwins,
    Objective,
    RandomDraw,
    Same,
    Sampler,
    SearchConfig,
    TwoBranches,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ltnas.callbacks.collapse import CollapseWatch
    from ltnas.callbacks.history import History
    from ltnas.data.long_tail import LongTail
    from ltnas.runs.folder import RunFolder
    from ltnas.space.genotype import Genotype
    from ltnas.training.search_module import SearchModule


def search(config: SearchConfig) -> Path:
    """Search, and leave genotype.json, history and pictures in a run folder.

    Returns:
        The run folder.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    from ltnas.cli.console import make_console, print_long_tail
    from ltnas.data.long_tail import load_long_tail
    from ltnas.runs.resume import open_run
    from ltnas.runs.settings import write_settings
    from ltnas.space.layout import check_image_size
    from ltnas.training.trainer import choose_accelerator

    console = make_console(config.trainer)
    accelerator = choose_accelerator(config.trainer, config.precision, config.compile)
    long_tail = load_long_tail(config.data, config.imbalance)
    check_image_size(long_tail.image_size, config.cells, auxiliary=False, stem="cifar")
    print_long_tail(console, f"{config.data.source} {config.imbalance.name}", long_tail)
    name = f"search-{config.scheme}-{config.imbalance.name}-s{config.seed}"
    with open_run(config, name) as folder:
        write_settings(folder, config)
        if isinstance(config.selection, RandomDraw):
            _draw(config, long_tail, folder)
        else:
            _search(config, accelerator, long_tail, folder, console)
    return folder.path


def _draw(config: SearchConfig, long_tail: LongTail, folder: RunFolder) -> None:
    """A random genotype needs no supernet."""
    from ltnas.axes.selection import random_genotype
    from ltnas.loggers.choose import open_logger, publish

    genotype = random_genotype(config.space.operations, config.space.nodes, config.seed)
    with open_logger(config, folder, "search") as logger:
        _write_result(config, long_tail, folder, genotype, [], {})
        publish(config, logger, folder)


def _search(
    config: SearchConfig,
    accelerator: str,
    long_tail: LongTail,
    folder: RunFolder,
    console: Console,
) -> None:
    from safetensors.torch import save

    from ltnas.callbacks.architecture import ArchitectureHistory
    from ltnas.callbacks.checkpoint import EpochCheckpoint
    from ltnas.callbacks.collapse import CollapseWatch
    from ltnas.callbacks.history import History
    from ltnas.callbacks.progress import ProgressLine
    from ltnas.loggers.choose import open_logger, pictures, publish
    from ltnas.plots.architecture import plot_architecture
    from ltnas.plots.curves import plot_curves
    from ltnas.runs.atomic import atomically
    from ltnas.training.trainer import build_trainer, fit

    module = build_search(config, accelerator, long_tail)
    history, genotypes = History(folder), ArchitectureHistory(folder, config.selection)
    watch = CollapseWatch(console, history, config.collapse, config.stop_on_collapse)
    with open_logger(config, folder, "search") as logger:
        callbacks = [
            history,
            genotypes,
            watch,
            *pictures(config, folder),
            *([ProgressLine(console, config.scheme, history)] if config.logger.progress else []),
            EpochCheckpoint(folder.checkpoint),
        ]
        trainer = build_trainer(config, accelerator, config.epochs, folder, callbacks, logger)
        fit(trainer, module, _streams(config, long_tail), folder.checkpoint)
        if not folder.writes:
            return
        genotype, notes = _derive(config, module, watch, genotypes.genotypes)
        with atomically(folder.path / "architecture.safetensors") as partial:
            parameters = module.supernet.architecture_parameters().items()
            partial.write_bytes(save({name: value.detach().cpu() for name, value in parameters}))
        plot_architecture(folder)
        plot_curves(folder)
        for note in notes:
            console.print(f"note: {note}")
        cost = _cost(module, history) | {"collapse": watch.collapse and watch.collapse.reason}
        _write_result(config, long_tail, folder, genotype, notes, cost)
        publish(config, logger, folder)


def _derive(
    config: SearchConfig, module: SearchModule, watch: CollapseWatch, before: list[dict[str, Any]]
) -> tuple[Genotype, list[str]]:
    """The genotype of the mixing weights, or of the epoch before a collapse, and what to know.

    Args:
        config: of the search.
        module: as the search has left it.
        watch: knows of a collapse.
        before: genotypes of all epochs.
    """
    from ltnas.axes.selection import select
    from ltnas.space.genotype import parse_genotype

    if config.stop_on_collapse and watch.collapse is not None:
        epoch = watch.collapse.healthy_epoch
        note = (
            f"stopped after epoch {len(before)}: {watch.collapse.reason}; this is the genotype of "
            f"epoch {epoch + 1}"
        )
        return parse_genotype(before[epoch], f"genotype of epoch {epoch + 1}"), [note]
    mixing = {
        name: value.detach().cpu() for name, value in module.supernet.mixing_weights().items()
    }
    return select(config.selection, mixing, config.space.operations)


def build_search(config: SearchConfig, accelerator: str, long_tail: LongTail) -> SearchModule:
    """Supernet, objective and steps of a configuration."""
    import lightning as L
    import torch

    from ltnas.axes.regularisers import build_regulariser
    from ltnas.axes.relaxations import build_relaxation
    from ltnas.distributed.batch_norm import synchronise_batch_norm
    from ltnas.models.build import branch_depth
    from ltnas.models.classifiers import make_classifier
    from ltnas.models.supernet import Supernet
    from ltnas.training.compiling import compile_cells
    from ltnas.training.learner import Learner
    from ltnas.training.search_module import SearchModule
    from ltnas.training.trainer import autocast

    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, verbose=False)
    supernet = Supernet(
        config.space.operations,
        config.space.nodes,
        config.channels,
        config.cells,
        len(long_tail.classes),
        build_relaxation(config.relaxation),
        config.relaxation.initial_deviation,
        checkpointed=config.checkpoint_cells,
        classifier=make_classifier(config.classifier),
        branch_depth=branch_depth(config.branches),
    )
    learner = Learner(supernet, *_objectives(config, long_tail, supernet.feature_size))
    learner.to(memory_format=torch.channels_last)
    if config.trainer.processes > 1:
        synchronise_batch_norm(learner, accelerator)
    if config.compile:
        compile_cells(supernet)
    return SearchModule(
        learner,
        build_regulariser(config.regulariser),
        config.gradient,
        config.schedule,
        config.selection,
        config.weights,
        config.architecture,
        config.collapse.hessian_every,
        config.epochs,
        long_tail.test_sets,
        config.seed,
        autocast(accelerator, config.precision),
    )


def _of_steps(config: SearchConfig) -> dict[str, tuple[Objective, Sampler]]:
    """Objective and sampler of either step."""
    own = config.architecture_objective, config.architecture_sampler
    objective = config.objective if isinstance(own[0], Same) else own[0]
    sampler = config.sampler if isinstance(own[1], Same) else own[1]
    return {"weights": (config.objective, config.sampler), "architecture": (objective, sampler)}


def _objectives(config: SearchConfig, long_tail: LongTail, feature_size: int) -> list[Any]:
    """Of the weights and of the architecture, each with the counts of its own stream."""
    import torch

    from ltnas.data.samplers import expected_counts
    from ltnas.data.subset import stratified_halves
    from ltnas.objectives.build import build_objective

    labels = long_tail.train.labels
    halves = stratified_halves(labels.numpy(), config.data.subset_seed)
    two = isinstance(config.branches, TwoBranches)
    built: list[Any] = []
    for (objective, sampler), half in zip(_of_steps(config).values(), halves, strict=True):
        counts = labels[torch.from_numpy(half)].bincount(minlength=len(long_tail.classes))
        shown = expected_counts(sampler, counts)
        second = expected_counts(config.rebalancing_sampler, counts) if two else None
        if built and isinstance(objective, BarlowTwins):
            built.append(None)  # one projector, which the weight step teaches
        else:
            built.append(
                build_objective(
                    objective, feature_size, shown, config.classifier, rebalanced=second
                )
            )
    return built


def _streams(config: SearchConfig, long_tail: LongTail) -> Any:  # noqa: ANN401 - imported late
    from ltnas.data.module import LongTailData, Plan, second_stream
    from ltnas.data.subset import stratified_halves
    from ltnas.objectives.build import build_views

    halves = stratified_halves(long_tail.train.labels.numpy(), config.data.subset_seed)
    plans = {
        name: Plan(
            half,
            sampler,
            build_views(objective, config.data, long_tail.normalisation),
            *second_stream(config.branches, config.rebalancing_sampler),
        )
        for half, (name, (objective, sampler)) in zip(
            halves, _of_steps(config).items(), strict=True
        )
    }
    return LongTailData(long_tail, plans, config.batch_size, config.seed, config.epochs)


def _cost(module: SearchModule, history: History) -> dict[str, Any]:
    return {
        "supernet_parameters": sum(
            weight.numel() for weight in module.supernet.weight_parameters().values()
        ),
        "epochs": len(history.rows),
        "seconds": round(history.seconds, 1),
        "peak_memory_gib": history.peak_memory_gib,
        "supernet_accuracy": module.test_accuracies(),
    }


def _write_result(
    config: SearchConfig,
    long_tail: LongTail,
    folder: RunFolder,
    genotype: Genotype,
    notes: list[str],
    cost: dict[str, Any],
) -> None:
    """genotype.json, its pictures, and last metrics.json, which says that the run has ended."""
    from ltnas.data.long_tail import describe_data
    from ltnas.plots.cells import plot_cells

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
            "data": describe_data(config, long_tail),
            **cost,
            "skip_connections": genotype.count("skip_connect"),
            "notes": notes,
            "provenance": folder.read_json("provenance.json"),
        },
    )


def main() -> None:
    """The console script."""
    run_command("search", SearchConfig, search)


if __name__ == "__main__":
    main()
