"""python -m ltnas.retrain: train the network of a genotype on long-tailed images.

Reads from top to bottom: genotype, data, network, stages of training, files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltnas.cli.command import run_command
from ltnas.config import ResNet32, RetrainConfig, TwoBranches

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger
    from rich.console import Console

    from ltnas.callbacks.history import History
    from ltnas.data.long_tail import LongTail
    from ltnas.data.module import LongTailData
    from ltnas.models.branches import BranchedModel
    from ltnas.runs.folder import RunFolder
    from ltnas.space.genotype import Genotype
    from ltnas.training.retrain_module import RetrainModule
    from ltnas.training.stages import Stage


def retrain(config: RetrainConfig) -> Path:
    """Train, and leave weights, metrics.json, history and pictures in a run folder.

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
    genotype, scheme = _genotype(config)
    long_tail = load_long_tail(config.data, config.imbalance)
    if genotype is not None:
        check_image_size(long_tail.image_size, config.cells, config.auxiliary > 0, config.stem)
    print_long_tail(console, f"{config.data.source} {config.imbalance.name}", long_tail)
    name = f"retrain-{scheme}-{config.imbalance.name}-s{config.seed}"
    with open_run(config, name) as folder:
        write_settings(folder, config)
        _train(config, accelerator, genotype, scheme, long_tail, folder, console)
    return folder.path


def _genotype(config: RetrainConfig) -> tuple[Genotype | None, str]:
    """What is trained, and where it comes from, as a part of a folder's name."""
    from ltnas.space.genotype import load_genotype

    if isinstance(config.network, ResNet32):
        return None, f"resnet{config.network.depth}"
    genotype, origin = load_genotype(config.genotype)
    name = str(origin.get("scheme") or origin.get("name") or "genotype").lower()
    return genotype, re.sub("[^a-z0-9_.-]+", "-", name)[:40]


def _train(
    config: RetrainConfig,
    accelerator: str,
    genotype: Genotype | None,
    scheme: str,
    long_tail: LongTail,
    folder: RunFolder,
    console: Console,
) -> None:
    from ltnas.loggers.choose import open_logger, publish
    from ltnas.training.stages import stages

    network = build_network(config, genotype, long_tail)
    histories = []
    *first, last = stages(config, folder)
    for stage in first:
        with open_logger(config, stage.folder, stage.label) as logger:
            fitted = _fit(config, stage, accelerator, network, long_tail, console, logger)
        histories.append(fitted[0])
    with open_logger(config, last.folder, last.label) as logger:
        history, reports = _fit(config, last, accelerator, network, long_tail, console, logger)
        histories.append(history)
        if config.adjust:
            _keep_adjustment(config, network, long_tail)
        if folder.writes:
            _write_result(config, genotype, scheme, network, long_tail, folder, histories, reports)
            _print_result(console, config, network, long_tail, reports)
            publish(config, logger, folder, config.genotype)


def _keep_adjustment(config: RetrainConfig, network: BranchedModel, long_tail: LongTail) -> None:
    """In the classifier's bias: the network that is kept predicts as the one that was tested."""
    import torch

    from ltnas.data.samplers import expected_counts
    from ltnas.losses.classification import log_priors

    sampler = config.crt_sampler if config.crt.epochs else config.sampler
    counts = expected_counts(sampler, torch.tensor(long_tail.counts))
    assert isinstance(network.classifier, torch.nn.Linear)
    bias = network.classifier.bias
    with torch.no_grad():
        bias.sub_(config.adjust * log_priors(counts).to(bias))


def build_network(
    config: RetrainConfig, genotype: Genotype | None, long_tail: LongTail
) -> BranchedModel:
    """What is to be trained, weights drawn from the seed."""
    import lightning as L
    import torch

    from ltnas.models.build import describe_network, described_network
    from ltnas.training.compiling import compile_cells

    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, verbose=False)
    description = describe_network(config, genotype)
    network = described_network(description, len(long_tail.classes), config.genotype)
    network.to(memory_format=torch.channels_last)
    if config.compile:
        compile_cells(network)
    return network


def _fit(
    config: RetrainConfig,
    stage: Stage,
    accelerator: str,
    network: BranchedModel,
    long_tail: LongTail,
    console: Console,
    logger: Logger | None,
) -> tuple[History, dict[str, Any]]:
    """Train the network in one stage; what is in its folder already is gone on with."""
    from ltnas.callbacks.checkpoint import EpochCheckpoint
    from ltnas.callbacks.history import History
    from ltnas.callbacks.progress import ProgressLine
    from ltnas.plots.curves import plot_curves
    from ltnas.training.trainer import build_trainer, fit

    if stage.fresh_classifier:
        _draw_classifier(network, config.seed)
    learning = network if stage.trains_trunk else network.classifier
    network.requires_grad_(False)
    learning.requires_grad_()
    module = _module(config, stage, accelerator, network, long_tail)
    history, folder = History(stage.folder), stage.folder
    callbacks = [
        history,
        *([ProgressLine(console, stage.label, history)] if config.logger.progress else []),
        EpochCheckpoint(folder.checkpoint),
    ]
    trainer = build_trainer(config, accelerator, stage.epochs, folder, callbacks, logger)
    fit(trainer, module, _stream(config, stage, long_tail), folder.checkpoint)
    module.keep_average()
    if folder.writes:
        plot_curves(folder)
    return history, module.test_reports(long_tail.classes)


def _draw_classifier(network: BranchedModel, seed: int) -> None:
    """Anew, as a second stage begins; a function of the seed alone."""
    import torch

    from ltnas.data.seeds import derived_seed

    torch.manual_seed(derived_seed(seed, 0))
    for module in network.classifier.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()


def _module(
    config: RetrainConfig,
    stage: Stage,
    accelerator: str,
    network: BranchedModel,
    long_tail: LongTail,
) -> RetrainModule:
    """The steps of a stage, its losses told of what its streams show."""
    import torch

    from ltnas.data.samplers import expected_counts
    from ltnas.distributed.batch_norm import synchronise_batch_norm
    from ltnas.losses.classification import log_priors
    from ltnas.objectives.build import build_objective
    from ltnas.training.learner import Learner
    from ltnas.training.retrain_module import RetrainModule
    from ltnas.training.trainer import autocast

    kept = torch.tensor(long_tail.counts)
    counts = expected_counts(stage.sampler, kept)
    two = isinstance(stage.branches, TwoBranches)
    objective = build_objective(
        stage.objective,
        network.feature_size,
        counts,
        config.classifier,
        stage.auxiliary,
        expected_counts(config.rebalancing_sampler, kept) if two else None,
    )
    learner = Learner(network, objective)
    if config.trainer.processes > 1:
        synchronise_batch_norm(learner, accelerator)
    return RetrainModule(
        learner,
        stage.weights,
        stage.drop_path,
        stage.epochs,
        long_tail.test_sets,
        config.seed,
        autocast(accelerator, config.precision),
        stage.adjust * log_priors(counts).float() if stage.adjust else None,
        stage.sharpness,
        stage.averaging,
        stage.trains_trunk,
    )


def _stream(config: RetrainConfig, stage: Stage, long_tail: LongTail) -> LongTailData:
    """All training images, as the stage wants to see them."""
    import numpy as np

    from ltnas.data.module import LongTailData, Plan, second_stream
    from ltnas.objectives.build import build_views

    everything = np.arange(len(long_tail.train_indices))
    views = build_views(
        stage.objective, config.data, long_tail.normalisation, config.cutout, config.augmentation
    )
    second = second_stream(stage.branches, config.rebalancing_sampler)
    plan = Plan(everything, stage.sampler, views, *second, stage.mix)
    return LongTailData(long_tail, {"weights": plan}, config.batch_size, config.seed, stage.epochs)


def _write_result(
    config: RetrainConfig,
    genotype: Genotype | None,
    scheme: str,
    network: BranchedModel,
    long_tail: LongTail,
    folder: RunFolder,
    histories: list[History],
    reports: dict[str, Any],
) -> None:
    """genotype.json, weights, and last metrics.json, which says that the run has ended."""
    from ltnas.data.long_tail import describe_data
    from ltnas.models.build import describe_network
    from ltnas.models.cost import multiply_accumulates, parameter_counts
    from ltnas.models.saved import save_network
    from ltnas.plots.cells import plot_cells

    if genotype is not None:
        folder.write_json("genotype.json", {"scheme": scheme, **genotype.to_json()})
        plot_cells(folder)
    save_network(
        folder,
        network,
        {
            **describe_network(config, genotype),
            "preprocessing": {
                "mean": list(long_tail.normalisation.mean),
                "std": list(long_tail.normalisation.std),
                "image_size": long_tail.image_size,
                "classes": list(long_tail.classes),
            },
        },
    )
    folder.write_json(
        "metrics.json",
        {
            "kind": "retrain",
            "scheme": scheme,
            "imbalance": config.imbalance.name,
            "seed": config.seed,
            "epochs": config.epochs,
            "pretrain_epochs": config.pretrain_epochs,
            "crt_epochs": config.crt.epochs,
            **parameter_counts(network),
            "multiply_accumulates": multiply_accumulates(network, long_tail.image_size),
            "test": reports,
            "data": describe_data(config, long_tail),
            "seconds": round(sum(history.seconds for history in histories), 1),
            "peak_memory_gib": max(history.peak_memory_gib for history in histories),
            "provenance": folder.read_json("provenance.json"),
        },
    )


def _print_result(
    console: Console,
    config: RetrainConfig,
    network: BranchedModel,
    long_tail: LongTail,
    reports: dict[str, Any],
) -> None:
    from ltnas.cli.console import print_results
    from ltnas.models.cost import multiply_accumulates, parameter_counts

    print_results(console, reports, long_tail.counts)
    counts = parameter_counts(network)
    console.print(
        f"{counts['parameters']:,} parameters (and {counts['auxiliary_parameters']:,} of the "
        f"auxiliary classifier), {multiply_accumulates(network, long_tail.image_size):,} "
        f"multiply-accumulates, seed {config.seed}, last of {config.epochs} epochs"
    )


def main() -> None:
    """The console script."""
    run_command("retrain", RetrainConfig, retrain)


if __name__ == "__main__":
    main()
