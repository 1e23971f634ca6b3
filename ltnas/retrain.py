"""python -m ltnas.retrain: train the network of a genotype on long-tailed images.

Reads from top to bottom: genotype, data, network, stages of training, files.
"""

from __future__ import annotations

if __name__ == "__main__":  # above the other imports, so that --help does not load torch
    from ltnas.cli.command import main

    main("retrain")

import re
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.loggers import Logger
from rich.console import Console

from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.callbacks.history import History
from ltnas.callbacks.progress import ProgressLine
from ltnas.cli.console import make_console, print_long_tail, print_part, print_results
from ltnas.config import (
    Classification,
    ResNet32,
    RetrainConfig,
    SearchedNetwork,
    TwoBranches,
)
from ltnas.data.long_tail import LongTail, describe_data, load_long_tail
from ltnas.data.module import LongTailData, Plan, second_stream
from ltnas.data.samplers import expected_counts
from ltnas.data.seeds import derived_seed
from ltnas.data.skipped import write_skipped
from ltnas.data.test_sets import VALIDATION, title
from ltnas.distributed.batch_norm import synchronise_batch_norm
from ltnas.loggers.choose import open_logger, publish
from ltnas.losses.classification import log_priors
from ltnas.losses.priors import assumed_prior
from ltnas.models.branches import BranchedModel
from ltnas.models.build import describe_network, described_network
from ltnas.models.cost import multiply_accumulates, parameter_counts
from ltnas.models.saved import save_network
from ltnas.models.scaled_classifier import ScaledClassifier
from ltnas.objectives.build import build_objective, build_views
from ltnas.plots.cells import plot_cells
from ltnas.plots.curves import plot_curves
from ltnas.reports.model_card import CARD, model_card
from ltnas.runs.folder import RunFolder
from ltnas.runs.resume import open_run
from ltnas.runs.settings import write_settings
from ltnas.space.genotype import Genotype, load_genotype
from ltnas.space.layout import check_image_size, chosen_stem
from ltnas.training.compiling import compile_cells
from ltnas.training.learner import Learner
from ltnas.training.max_norm import MaxNorm
from ltnas.training.monitor import Pace
from ltnas.training.retrain_module import RetrainModule
from ltnas.training.stages import Stage, stages
from ltnas.training.temperature import calibrated
from ltnas.training.trainer import autocast, build_trainer, choose_accelerator, fit


def retrain(config: RetrainConfig) -> Path:
    """Train, and leave weights, metrics.json, history and pictures in a run folder.

    Returns:
        The run folder.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    console = make_console(config.trainer)
    accelerator = choose_accelerator(config.trainer, config.precision, config.compile)
    genotype, scheme = _load(config)
    long_tail = load_long_tail(config.data, config.imbalance).limited_to(config.limit_test_batches)
    if genotype is not None:
        check_sizes(config, genotype.macro, long_tail.image_size)
    print_long_tail(console, f"{config.data.title} {config.imbalance.name}", long_tail)
    name = f"retrain-{scheme}-{config.imbalance.name}-s{config.seed}"
    with open_run(config, name, long_tail.content_checksum) as folder:
        write_settings(folder, config)
        write_skipped(folder, long_tail)
        network = build_network(config, genotype, long_tail)
        run = _Training(config, accelerator, network, long_tail=long_tail, console=console)

        # All stages but the last, each with its own logger.
        *first, last = stages(config, folder)
        histories = []
        for stage in first:
            with open_logger(config, stage.folder, stage.label) as logger:
                history, _ = run.fit(stage, logger)
            histories.append(history)

        # The last stage, whose logger gets the result too.
        with open_logger(config, last.folder, last.label) as logger:
            history, reports = run.fit(last, logger)
            histories.append(history)
            if last.adjust:
                _keep_adjustment(last, network, long_tail)
            if folder.writes:
                prior = _prior(last, long_tail)
                calibration = _calibration(network, prior, long_tail, accelerator)
                use = {"prior": prior, "temperature": calibration.get("temperature", 1.0)}
                _write_network(
                    config,
                    folder,
                    network,
                    genotype=genotype,
                    scheme=scheme,
                    long_tail=long_tail,
                    use=use,
                )
                metrics = {
                    "kind": "retrain",
                    "scheme": scheme,
                    "imbalance": config.imbalance.name,
                    "seed": config.seed,
                    "epochs": config.epochs,
                    "pretrain_epochs": config.pretrain_epochs,
                    "crt_epochs": config.crt.epochs,
                    **parameter_counts(network),
                    "multiply_accumulates": multiply_accumulates(network, long_tail.image_size),
                    **reports,
                    **({"calibration": calibration} if calibration else {}),
                    "data": describe_data(config.data.title, long_tail),
                    "seconds": round(sum(history.seconds for history in histories), 1),
                    "peak_memory_gib": max(history.peak_memory_gib for history in histories),
                    "provenance": folder.read_json("provenance.json"),
                }
                folder.write_text(CARD, model_card(metrics))
                folder.write_json("metrics.json", metrics)  # last: it marks the run as finished
                _print_result(console, config, long_tail, metrics)
                publish(config, logger, folder, config.genotype)
    return folder.path


def check_sizes(config: RetrainConfig, macro: str, image_size: int) -> None:
    """Raise a `UserError` for a network that cannot be built, or not for images of this size.

    Args:
        config: configuration of the training.
        macro: name of the genotype's macro-network.
        image_size: side of the images, pixels.
    """
    stem = chosen_stem(config.stem, image_size)
    check_image_size(image_size, config.cells, config.auxiliary > 0, stem, macro)


def _load(config: RetrainConfig) -> tuple[Genotype | None, str]:
    """Return the genotype, None for a residual network, and its origin for folder names."""
    match config.network:
        case ResNet32():
            return None, f"resnet{config.network.depth}"
        case SearchedNetwork():
            genotype, content = load_genotype(config.genotype)
            name = str(content.get("scheme") or content.get("name") or "genotype").lower()
            return genotype, re.sub("[^a-z0-9_.-]+", "-", name)[:40]
        case _:
            raise TypeError(f"{config.network} is not a value on the network axis")


def build_network(
    config: RetrainConfig, genotype: Genotype | None, long_tail: LongTail
) -> BranchedModel:
    """Build the network to train, with weights drawn from the seed."""
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, verbose=False)
    description = describe_network(config, genotype, long_tail.image_size)
    network = described_network(description, len(long_tail.classes), config.genotype)
    network.to(memory_format=torch.channels_last)
    if config.compile:
        compile_cells(network)
    return network


class _Training:
    """The stages of one training, which share network, data and console."""

    def __init__(
        self,
        config: RetrainConfig,
        accelerator: str,
        network: BranchedModel,
        long_tail: LongTail,
        console: Console,
    ) -> None:
        self.config, self.accelerator = config, accelerator
        self.network, self.long_tail, self.console = network, long_tail, console

    def fit(self, stage: Stage, logger: Logger | None) -> tuple[History, dict[str, Any]]:
        """Train the network in one stage, from its last checkpoint if there is one.

        Returns:
            The history of the stage, and results of tests after its last epoch.
        """
        config, folder = self.config, stage.folder
        if stage.fresh_classifier:
            _reset_classifier(self.network, config.seed)
        if stage.scaling_rate:
            _scale_classifier(self.network)
        learning = self.network if stage.trains_trunk else self.network.classifier
        self.network.requires_grad_(False)
        learning.requires_grad_()
        module = self._module(stage)
        history = History(folder)
        progress = [ProgressLine(self.console, stage.label, history)]
        trainer = build_trainer(
            config,
            accelerator=self.accelerator,
            epochs=stage.epochs,
            folder=folder,
            callbacks=[
                history,
                *(progress if config.logger.progress else []),
                EpochCheckpoint(folder.checkpoint),
            ],
            logger=logger,
        )
        fit(trainer, module, self._data(stage), folder.checkpoint)
        module.keep_average()
        results = module.results(self.long_tail.classes)
        _fold_factors(self.network)
        if folder.writes:
            plot_curves(folder)
        return history, results

    def _module(self, stage: Stage) -> RetrainModule:
        """Build the steps of a stage; its losses get the class counts that its streams show."""
        config, training_counts = self.config, torch.tensor(self.long_tail.counts)
        counts = expected_counts(stage.sampler, training_counts)
        two = isinstance(stage.branches, TwoBranches)
        objective = build_objective(
            stage.objective,
            feature_size=self.network.feature_size,
            counts=counts,
            classifier=config.classifier,
            auxiliary=stage.auxiliary,
            class_sizes=training_counts,
            rebalanced=expected_counts(config.rebalancing_sampler, training_counts)
            if two
            else None,
        )
        learner = Learner(self.network, objective)
        if config.trainer.processes > 1:
            synchronise_batch_norm(learner, self.accelerator)
        return RetrainModule(
            learner=learner,
            weights=stage.weights,
            drop_path=stage.drop_path,
            epochs=stage.epochs,
            tests=self.long_tail.test_sets,
            seed=config.seed,
            autocast=autocast(self.accelerator, config.precision),
            adjustment=stage.adjust * log_priors(counts).float() if stage.adjust else None,
            sharpness=stage.sharpness,
            averaging=stage.averaging,
            trains_trunk=stage.trains_trunk,
            max_norm=_max_norm(stage, self.network),
            multiples=_rate_multiples(stage),
            pace=Pace(config.graphs, config.test_every),
        )

    def _data(self, stage: Stage) -> LongTailData:
        """Build one stream of all training images, in the views of the stage's objective."""
        config = self.config
        views = build_views(
            stage.objective,
            data=config.data,
            normalisation=self.long_tail.normalisation,
            cutout=config.cutout,
            augmentation=config.augmentation,
        )
        rebalancing, mixing = second_stream(stage.branches, config.rebalancing_sampler)
        everything = np.arange(len(self.long_tail.train_indices))
        plan = Plan(
            everything,
            stage.sampler,
            views,
            rebalancing=rebalancing,
            mixing=mixing,
            mix=stage.mix,
        )
        return LongTailData(
            self.long_tail,
            streams={"weights": plan},
            batch_size=config.batch_size,
            seed=config.seed,
            epochs=stage.epochs,
            placement=config.data.placement,
        )


def _reset_classifier(network: BranchedModel, seed: int) -> None:
    """Draw the classifier anew before a second stage, as a function of the seed alone."""
    torch.manual_seed(derived_seed(seed, 0))
    for module in network.classifier.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()


def _max_norm(stage: Stage, network: BranchedModel) -> MaxNorm | None:
    """Build the limit for the norms of the classifier's rows; None for none."""
    if stage.max_norm is None:
        return None
    assert isinstance(network.classifier, torch.nn.Linear)
    return MaxNorm(network.classifier.weight, stage.max_norm)


def _scale_classifier(network: BranchedModel) -> None:
    """Give the classifier a factor for each class, which learns too."""
    assert isinstance(network.classifier, torch.nn.Linear)
    network.classifier = ScaledClassifier(network.classifier)


def _fold_factors(network: BranchedModel) -> None:
    """Multiply the factors into the classifier, if it has some."""
    if isinstance(network.classifier, ScaledClassifier):
        network.classifier = network.classifier.folded()


def _rate_multiples(stage: Stage) -> dict[str, float]:
    """Return the learning rate of the classifier's factors as a multiple of the stage's rate."""
    if not stage.scaling_rate:
        return {}
    return {"classifier.factors": stage.scaling_rate / stage.weights.learning_rate}


def _keep_adjustment(last: Stage, network: BranchedModel, long_tail: LongTail) -> None:
    """Subtract tau log pi from the classifier's bias, so that the network predicts as tested."""
    counts = expected_counts(last.sampler, torch.tensor(long_tail.counts))
    assert isinstance(network.classifier, torch.nn.Linear)
    bias = network.classifier.bias
    with torch.no_grad():
        bias.sub_(last.adjust * log_priors(counts).to(bias))


def _write_network(
    config: RetrainConfig,
    folder: RunFolder,
    network: BranchedModel,
    *,
    genotype: Genotype | None,
    scheme: str,
    long_tail: LongTail,
    use: dict[str, Any],
) -> None:
    """Write genotype.json with its pictures, and the weights with what is needed to use them.

    Args:
        config: configuration of the training.
        folder: folder of the run.
        network: trained network.
        genotype: genotype; None for a residual network.
        scheme: origin of the genotype.
        long_tail: data set.
        use: further entries of network.json: `prior` and `temperature`.
    """
    if genotype is not None:
        folder.write_json("genotype.json", {"scheme": scheme, **genotype.to_json()})
        plot_cells(folder)
    preprocessing = {
        "mean": list(long_tail.normalisation.mean),
        "std": list(long_tail.normalisation.std),
        "image_size": long_tail.image_size,
        "stored_size": config.data.stored_size,
        "classes": list(long_tail.classes),
    }
    if long_tail.grey_range is not None:
        preprocessing["grey_range"] = list(long_tail.grey_range)
    description = {
        **describe_network(config, genotype, long_tail.image_size),
        "preprocessing": preprocessing,
        **use,
    }
    save_network(folder, network, description)


def _calibration(
    network: BranchedModel, prior: list[float], long_tail: LongTail, accelerator: str
) -> dict[str, Any]:
    """Return the temperature and the calibration errors; {} without images for validation."""
    if long_tail.validation is None:
        return {}
    device = torch.device("cuda" if accelerator == "gpu" else "cpu")
    found = calibrated(network.to(device), prior, long_tail)
    network.to("cpu")
    return found


def _prior(last: Stage, long_tail: LongTail) -> list[float]:
    """Return the class frequencies that the network's probabilities assume, [C]."""
    assert isinstance(last.objective, Classification)
    counts = torch.tensor(long_tail.counts)
    progress = (last.epochs - 1) / last.epochs
    prior = assumed_prior(last.objective, last.sampler, last.adjust, counts, progress)
    return [float(share) for share in prior]


def _print_result(
    console: Console, config: RetrainConfig, long_tail: LongTail, metrics: dict[str, Any]
) -> None:
    """Print accuracies as a table, and the size of the network."""
    validation = {VALIDATION: metrics[VALIDATION]} if VALIDATION in metrics else {}
    print_results(console, metrics["test"] | validation, long_tail.counts)
    if "calibration" in metrics:
        found, name = metrics["calibration"], long_tail.test_sets.name
        before, after = (100 * found["calibration_error"][name][key] for key in ("before", "after"))
        console.print(
            f"temperature {found['temperature']:.3f}, fitted to the images for validation: "
            f"calibration error on the {title(name)} set {before:.2f} before, {after:.2f} after",
            soft_wrap=True,
        )
    print_part(console, long_tail)
    console.print(
        f"{metrics['parameters']:,} parameters (and {metrics['auxiliary_parameters']:,} of the "
        f"auxiliary classifier), {metrics['multiply_accumulates']:,} "
        f"multiply-accumulates, seed {config.seed}, last of {config.epochs} epochs"
    )
