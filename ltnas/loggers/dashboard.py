"""Pictures, tables and artifacts for Weights & Biases, made from the files of a run.

This module imports wandb and is loaded only with `logger=wandb`.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import lightning as L
import wandb
from lightning.pytorch.loggers import Logger, WandbLogger

from ltnas.plots.architecture import read_curves
from ltnas.plots.cells import draw
from ltnas.plots.heat_map import heat_map
from ltnas.runs.folder import RunFolder
from ltnas.space.genotype import parse_genotype, without_file


def wandb_runs(loggers: list[Logger]) -> list[Any]:
    """Return the W&B runs of those loggers that are W&B loggers."""
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger)]


class Pictures(L.Callback):
    """Sends drawings of both cells and a heat map of the mixing weights after each search epoch."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Send the pictures; must run after the callback that writes the architecture's files."""
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch
        genotype = parse_genotype(self.folder.read_json("genotypes.json")[epoch], "genotypes.json")
        pictures = {
            "architecture/cells": picture(draw(genotype)),
            "architecture/weights": picture(heat_map(read_curves(self.folder), epoch)),
        }
        for run in wandb_runs(trainer.loggers):
            run.log({"epoch": epoch, **pictures})


def picture(figure: Any) -> wandb.Image:  # noqa: ANN401 - matplotlib has no types
    """Convert a figure to an image for W&B."""
    from PIL import Image

    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=80)
    return wandb.Image(Image.open(content))


def publish(logger: Logger | None, folder: RunFolder, genotype: str = "") -> None:
    """Send tables of the test results, and artifacts that link a search to its trainings.

    Args:
        logger: logger of the run's last stage; nothing is sent unless it is a W&B logger.
        folder: run folder with all result files.
        genotype: genotype that a training was given; empty for a search.
    """
    for run in wandb_runs([logger] if logger else []):
        metrics = folder.read_json("metrics.json")
        run.summary.update(summary(metrics))
        for name, report in metrics.get("test", {}).items():
            run.log({f"results/per_class_{name}": per_class(report, metrics)})
            if "confusion" in report:  # not with more than a hundred classes
                run.log({f"results/confusion_{name}": confusion(report)})
        if metrics["kind"] == "search":
            run.log_artifact(artifact("genotype", folder, ["genotype.json", "cells.svg"]))
        else:
            link(run, genotype)
            run.log_artifact(artifact("weights", folder, ["network.safetensors", "network.json"]))


def summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of metrics.json by which W&B sorts and filters runs."""
    kept = ("scheme", "imbalance", "seed", "parameters", "multiply_accumulates", "seconds")
    return {key: metrics[key] for key in kept if key in metrics}


def per_class(report: dict[str, Any], metrics: dict[str, Any]) -> wandb.Table:
    """Return a table with the number of training images and the test accuracy of each class."""
    counts = metrics["data"]["class_counts"]
    rows = zip(report["per_class"], counts, report["per_class"].values(), strict=True)
    return wandb.Table(
        columns=["class", "training images", "accuracy"], data=[list(row) for row in rows]
    )


def confusion(report: dict[str, Any]) -> wandb.Table:
    """Return the confusion matrix as a table of true class, predicted class and images."""
    names = list(report["per_class"])
    rows = [
        [names[true], names[predicted], count]
        for true, row in enumerate(report["confusion"])
        for predicted, count in enumerate(row)
    ]
    return wandb.Table(columns=["true", "predicted", "images"], data=rows)


def artifact(kind: str, folder: RunFolder, names: list[str]) -> wandb.Artifact:
    """Return an artifact that holds those of the named files that exist in the run folder."""
    files = wandb.Artifact(artifact_name(kind, folder.path), type=kind)
    for name in names:
        if (folder.path / name).exists():
            files.add_file(str(folder.path / name))
    return files


def artifact_name(kind: str, folder: Path) -> str:
    """Return the name of an artifact of a run, e.g. `genotype-search-darts-exp0.1-s0-...`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{kind}-{folder.name}")


def link(run: Any, genotype: str) -> None:  # noqa: ANN401
    """Record which search the genotype of a training comes from.

    The name of the search's artifact is written into the W&B configuration. With a network the
    artifact is also recorded as used, if the search was sent to the same project. Published
    genotypes, which have no run folder, are skipped.

    Args:
        run: W&B run of the training.
        genotype: name, file or run folder that the training was given.
    """
    folder = without_file(Path(genotype))
    if not folder.is_dir():
        return
    name = artifact_name("genotype", folder)
    run.config.update({"genotype_artifact": name}, allow_val_change=True)
    if not run.offline:
        try:
            # Fails if the search was sent to another project, or not at all; the training is valid
            # anyway.
            run.use_artifact(f"{name}:latest")
        except (wandb.errors.CommError, ValueError) as error:
            missing = f"{name} (not found: {error})"
            run.config.update({"genotype_artifact": missing}, allow_val_change=True)
