"""What Weights & Biases is shown besides numbers; loaded only when `logger=wandb`.

All of it is made from a run's files.
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
from ltnas.space.genotype import FILE, parse_genotype


def shown(loggers: list[Logger]) -> list[Any]:
    """The W&B runs among loggers."""
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger)]


class Pictures(L.Callback):
    """Sends both cells and a map of the mixing weights after each epoch of a search."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Comes after the callback that writes the architecture's files."""
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch
        genotype = parse_genotype(self.folder.read_json("genotypes.json")[epoch], "genotypes.json")
        pictures = {
            "architecture/cells": picture(draw(genotype)),
            "architecture/weights": picture(heat_map(read_curves(self.folder), epoch)),
        }
        for run in shown(trainer.loggers):
            run.log({"epoch": epoch, **pictures})


def picture(figure: Any) -> wandb.Image:  # noqa: ANN401 - matplotlib has no types
    """A figure, as W&B takes it."""
    from PIL import Image

    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=80)
    return wandb.Image(Image.open(content))


def publish(logger: Logger | None, folder: RunFolder, genotype: str = "") -> None:
    """Send what a run has ended with: tables, and artifacts that link a search to its trainings.

    Args:
        logger: of the run's last stage.
        folder: of the run, all files in it but metrics.json, which is passed as read.
        genotype: what a training was told to train.
    """
    for run in shown([logger] if logger else []):
        metrics = folder.read_json("metrics.json")
        run.summary.update(summary(metrics))
        for name, report in metrics.get("test", {}).items():
            run.log({f"results/per_class_{name}": per_class(report, metrics)})
            run.log({f"results/confusion_{name}": confusion(report)})
        if metrics["kind"] == "search":
            run.log_artifact(artifact("genotype", folder, ["genotype.json", "cells.svg"]))
        else:
            link(run, genotype)
            run.log_artifact(artifact("weights", folder, ["network.safetensors", "network.json"]))


def summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a result that a table of runs is sorted by."""
    kept = ("scheme", "imbalance", "seed", "parameters", "multiply_accumulates", "seconds")
    return {key: metrics[key] for key in kept if key in metrics}


def per_class(report: dict[str, Any], metrics: dict[str, Any]) -> wandb.Table:
    """Class, training images, accuracy."""
    counts = metrics["data"]["class_counts"]
    rows = zip(report["per_class"], counts, report["per_class"].values(), strict=True)
    return wandb.Table(
        columns=["class", "training images", "accuracy"], data=[list(row) for row in rows]
    )


def confusion(report: dict[str, Any]) -> wandb.Table:
    """True class, predicted class, images."""
    names = list(report["per_class"])
    rows = [
        [names[true], names[predicted], count]
        for true, row in enumerate(report["confusion"])
        for predicted, count in enumerate(row)
    ]
    return wandb.Table(columns=["true", "predicted", "images"], data=rows)


def artifact(kind: str, folder: RunFolder, names: list[str]) -> wandb.Artifact:
    """Files of a run under a name by which others find them."""
    found = wandb.Artifact(artifact_name(kind, folder.path), type=kind)
    for name in names:
        if (folder.path / name).exists():
            found.add_file(str(folder.path / name))
    return found


def artifact_name(kind: str, folder: Path) -> str:
    """`genotype-search-darts-...`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{kind}-{folder.name}")


def link(run: Any, genotype: str) -> None:  # noqa: ANN401
    """Say which search a training's genotype is of.

    As an artifact that it uses, if the search was sent to the same project; without a network as
    an entry of its configuration alone.
    """
    folder = Path(genotype)
    folder = folder.parent if folder.name == FILE else folder
    if not folder.is_dir():
        return
    name = artifact_name("genotype", folder)
    run.config.update({"genotype_artifact": name}, allow_val_change=True)
    if not run.offline:
        try:
            run.use_artifact(f"{name}:latest")
        except (wandb.errors.CommError, ValueError) as error:
            missing = f"{name} (not there: {error})"
            run.config.update({"genotype_artifact": missing}, allow_val_change=True)
