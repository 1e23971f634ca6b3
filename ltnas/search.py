"""python -m ltnas.search: find an architecture on long-tailed images.

Reads from top to bottom: data, search network, trainer, genotype, files.
"""

from __future__ import annotations

if __name__ == "__main__":  # above the other imports, so that --help does not load torch
    from ltnas.cli.command import main

    main("search")

from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import save

from ltnas.axes.selection import select
from ltnas.callbacks.architecture import ArchitectureHistory
from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.callbacks.collapse import CollapseWatch, test_last_epoch
from ltnas.callbacks.cost_forecast import CostForecast
from ltnas.callbacks.history import History
from ltnas.callbacks.progress import ProgressLine
from ltnas.cli.console import make_console, print_long_tail, print_passes
from ltnas.config import (
    BestByProxy,
    Evaluated,
    Objective,
    SearchConfig,
    ZeroShot,
)
from ltnas.config.axis import choices
from ltnas.data.long_tail import (
    LongTail,
    checksum_of_all,
    describe_data,
    load_long_tail,
    second_long_tail,
)
from ltnas.data.patch_mask import check_patches
from ltnas.data.skipped import write_skipped
from ltnas.diagnostics.collapse import Collapsed
from ltnas.loggers.choose import open_logger, pictures, publish
from ltnas.plots.architecture import plot_architecture
from ltnas.plots.cells import plot_cells
from ltnas.plots.curves import plot_curves
from ltnas.plots.pruning import plot_pruning
from ltnas.runs.atomic import atomically
from ltnas.runs.folder import RunFolder
from ltnas.runs.resume import open_run
from ltnas.runs.settings import write_settings
from ltnas.space.edge_masks import Mask, Masks, edge_masks
from ltnas.space.genotype import Genotype, parse_genotype
from ltnas.space.layout import check_image_size, chosen_stem, edges
from ltnas.training.evaluated_selection import selection_by_measuring
from ltnas.training.proxy_selection import best_by_proxy
from ltnas.training.search_module import SearchModule
from ltnas.training.search_parts import build_data
from ltnas.training.second_learners import second_objective
from ltnas.training.staged_search import StagedSearch
from ltnas.training.trainer import build_trainer, choose_accelerator, fit
from ltnas.training.tuning import tuning_epochs
from ltnas.training.zero_shot import pruned_space


def search(config: SearchConfig) -> Path:
    """Search, and leave genotype.json, history and pictures in a run folder.

    Returns:
        The run folder.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    console = make_console(config.trainer)
    accelerator = choose_accelerator(config.trainer, config.precision, config.compile)
    long_tail = load_long_tail(config.data, config.imbalance).limited_to(config.limit_test_batches)
    second = second_long_tail(config)
    # Interleaved learners share one architecture, and so the stem that fits the first images.
    stem = chosen_stem(config.stem, long_tail.image_size)
    _check_images(config, stem, long_tail, config.objective, config.architecture_objective)
    _check_images(config, stem, second or long_tail, second_objective(config))
    print_long_tail(console, f"{config.data.title} {config.imbalance.name}", long_tail)
    if second is not None:
        assert config.second_data is not None
        heading = f"second data set: {config.second_data.title} {config.imbalance.name}"
        print_long_tail(console, heading, second)
        if len(second.train.labels) < len(long_tail.train.labels):
            console.print("note: an epoch ends with the images of the smaller, second data set")
    name = f"search-{config.scheme}-{config.imbalance.name}-s{config.seed}"
    with open_run(config, name, checksum_of_all(long_tail, second)) as folder:
        write_settings(folder, config)
        write_skipped(folder, long_tail, second)
        masks = _space(config, long_tail, folder, console)
        if config.selection.reads_weights:
            staged = StagedSearch(config, accelerator, long_tail, masks, second)
            _train_supernet(staged, folder, console)
        else:
            _select_without_training(config, long_tail, masks, folder)
    return folder.path


def _space(
    config: SearchConfig, long_tail: LongTail, folder: RunFolder, console: Console
) -> dict[str, Mask]:
    """Return the operations that each edge has, by kind of cell; draw what was pruned."""
    if not isinstance(config.progression, ZeroShot):
        return edge_masks(config.space, config.macro.kinds)
    console.print(f"pruning the space by zero-shot scores ({config.progression.scoring})")
    masks = pruned_space(config, long_tail, folder)
    if folder.writes:
        plot_pruning(folder)
    return masks


def _select_without_training(
    config: SearchConfig, long_tail: LongTail, masks: Masks, folder: RunFolder
) -> None:
    """Write the genotype of a selection that does not depend on mixing weights."""
    space = config.space
    unread = torch.zeros(len(edges(space.nodes)), len(space.operations))
    if isinstance(config.selection, BestByProxy):
        genotype, records = best_by_proxy(config, long_tail, masks)
        notes: list[str] = []
        if folder.writes:
            folder.write_json("selection.json", records)
    else:
        genotype, notes = select(
            config.selection,
            dict.fromkeys(config.macro.kinds, unread),
            space.operations,
            config.seed,
            masks=masks,
            macro=choices(config)["macro"],
        )
    with open_logger(config, folder, "search") as logger:
        _write_result(config, long_tail, folder, genotype, notes=notes, cost={})
        publish(config, logger, folder)


def _check_images(
    config: SearchConfig, stem: str, long_tail: LongTail, *objectives: Objective
) -> None:
    """Raise a `UserError` for images that are too small for the supernet or for an objective.

    Args:
        config: configuration of the search.
        stem: stem of all supernets of the search.
        long_tail: images.
        objectives: objectives that see the images.
    """
    check_image_size(
        long_tail.image_size,
        config.cells,
        auxiliary=False,
        stem=stem,
        macro=choices(config)["macro"],
    )
    for objective in objectives:
        check_patches(objective, *long_tail.view_size)


def _train_supernet(staged: StagedSearch, folder: RunFolder, console: Console) -> None:
    """Train the supernet of each stage, select the genotype, and write all into the run folder."""
    config, accelerator, long_tail = staged.config, staged.accelerator, staged.long_tail
    history, architectures = History(folder), ArchitectureHistory(folder)
    watch = CollapseWatch(console, history, config.collapse, config.stop_on_collapse)
    progress = ProgressLine(console, config.scheme, history, config.epochs)
    with open_logger(config, folder, "search") as logger:
        for stage in staged.stages:
            module = staged.module(stage)
            several = len(module.learners()) > 1
            if several and stage.number == 0:
                print_passes(console, config.scheme, module.levels.passes(config.gradient))
            checkpoint = folder.checkpoint_of(stage.number, len(staged.stages))
            callbacks = [
                history,
                architectures,
                watch,
                *pictures(config, folder),
                *([progress] if config.logger.progress else []),
                *([CostForecast(console, config.epochs)] if several else []),
                EpochCheckpoint(checkpoint),
            ]
            trainer = build_trainer(
                config,
                accelerator=accelerator,
                epochs=stage.epochs,
                folder=folder,
                callbacks=callbacks,
                logger=logger,
            )
            data = build_data(config, long_tail, stage, staged.second)
            fit(trainer, module, data, checkpoint)
            test_last_epoch(trainer, module, data, history)
            if config.stop_on_collapse and watch.collapse is not None:
                break
            staged.finish(module, trainer.optimizers)
        if not folder.writes:
            return
        if config.stop_on_collapse and watch.collapse is not None:
            genotype, notes = _healthy(watch.collapse, architectures.genotypes)
        elif isinstance(config.selection, Evaluated):
            tuned = tuning_epochs(config)
            between = f", and training for {tuned} epochs between decisions" if tuned else ""
            images = f"{config.selection.images:,} images"
            console.print(f"measuring architectures on {images}{between}")
            genotype, records = selection_by_measuring(config, module, accelerator, long_tail)
            folder.write_json("selection.json", records)
            notes = []
        else:
            genotype, notes = module.architecture().genotype, module.architecture().notes
        _write_architecture(folder, module)
        if len(staged.stages) > 1:
            folder.write_json("stages.json", staged.records)
        plot_architecture(folder)
        plot_curves(folder)
        for note in notes:
            console.print(f"note: {note}")
        cost = _cost(module, history) | {"collapse": watch.collapse and watch.collapse.reason}
        if staged.second is not None and config.second_data is not None:
            cost["second_data"] = describe_data(config.second_data.title, staged.second)
        _write_result(config, long_tail, folder, genotype, notes=notes, cost=cost)
        publish(config, logger, folder)


def _healthy(collapse: Collapsed, before: list[dict[str, Any]]) -> tuple[Genotype, list[str]]:
    """Return the genotype from before a collapse, and a note that says so.

    Args:
        collapse: says why the search has collapsed, and when.
        before: genotypes of all epochs.
    """
    epoch = collapse.healthy_epoch
    note = (
        f"stopped after epoch {len(before)}: {collapse.reason}; this is the genotype of "
        f"epoch {epoch + 1}"
    )
    return parse_genotype(before[epoch], f"genotype of epoch {epoch + 1}"), [note]


def _cost(module: SearchModule, history: History) -> dict[str, Any]:
    """Return what the search took and reached, in plain types."""
    return {
        "stem": module.network.supernet.stem_name,
        "supernet_parameters": sum(
            weight.numel() for weight in module.network.weight_parameters().values()
        ),
        "epochs": len(history.rows),
        "seconds": round(history.seconds, 1),
        "peak_memory_gib": history.peak_memory_gib,
        "supernet_accuracy": module.test_accuracies(),
    }


def _write_architecture(folder: RunFolder, module: SearchModule) -> None:
    """Write the architecture parameters, or what was measured in their place."""
    network = module.network
    measured = network.relaxation.measured().items()
    parameters = network.architecture_parameters()
    parameters |= {f"ranks_{kind}": values for kind, values in measured}
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
            "data": describe_data(config.data.title, long_tail),
            **cost,
            "skip_connections": genotype.count("skip_connect"),
            "notes": notes,
            "provenance": folder.read_json("provenance.json"),
        },
    )
