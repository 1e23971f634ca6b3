"""The stages of a training: without labels, with labels, the classifier alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ltnas import config as c
from ltnas.runs.folder import RunFolder


@dataclass(frozen=True)
class Stage:
    """What is learned from, for how long, by what of the network.

    `adjust` is the tau of logit adjustment in its tests; `trains_trunk` tells whether more than
    the classifier learns, `fresh_classifier` whether that is drawn anew before.
    """

    label: str
    folder: RunFolder
    epochs: int
    objective: c.Objective
    sampler: c.Sampler
    branches: c.Branches
    weights: c.WeightOptimiser
    adjust: float = 0.0
    mix: c.Mix = field(default_factory=c.NoMix)
    drop_path: float = 0.0
    auxiliary: float = 0.0
    averaging: float = 0.0
    sharpness: float = 0.0
    trains_trunk: bool = True
    fresh_classifier: bool = False


def stages(config: c.RetrainConfig, folder: RunFolder) -> list[Stage]:
    """Those of a configuration, in their order, each with its folder."""
    found = [_with_labels(config, folder)]
    if config.pretrain == "barlow_twins":
        found.insert(0, _without_labels(config, _inside(folder, "pretrain")))
    if config.crt.epochs:
        found.append(_of_classifier(config, _inside(folder, "crt")))
    return found


def _inside(folder: RunFolder, name: str) -> RunFolder:
    path = folder.path / name
    path.mkdir(exist_ok=True)
    return RunFolder(path, folder.writes)


def _without_labels(config: c.RetrainConfig, folder: RunFolder) -> Stage:
    """Branches are mixed by labels: where there are none, one stream trains them both."""
    return Stage(
        "pretrain",
        folder,
        config.pretrain_epochs,
        config.barlow_twins,
        c.InstanceSampler(),
        c.OneBranch(),
        config.weights,
    )


def _with_labels(config: c.RetrainConfig, folder: RunFolder) -> Stage:
    return Stage(
        "retrain",
        folder,
        config.epochs,
        config.objective,
        config.sampler,
        config.branches,
        config.weights,
        config.adjust,
        config.mix,
        config.drop_path,
        config.auxiliary,
        config.averaging,
        config.sharpness,
    )


def _of_classifier(config: c.RetrainConfig, folder: RunFolder) -> Stage:
    """Class-balanced classifier re-training (Kang et al. 2020, section 4.1)."""
    return Stage(
        "crt",
        folder,
        config.crt.epochs,
        config.crt_objective,
        config.crt_sampler,
        c.OneBranch(),
        replace(config.weights, learning_rate=config.crt.learning_rate, warmup_epochs=0),
        config.adjust,
        trains_trunk=False,
        fresh_classifier=config.crt.fresh,
    )
