"""The stages of a training: without labels, with labels, the classifier alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas import config as c
from ltnas.errors import UserError
from ltnas.runs.atomic import GO_ON, deleted
from ltnas.runs.folder import RunFolder
from ltnas.training.sharpness import Sharpness


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a training: what is minimised on which images, and what of the network learns.

    Args:
        label: name of the stage, for loggers and progress.
        folder: folder of its checkpoint and history.
        epochs: number of epochs.
        objective: value on the objective axis.
        sampler: value on the sampler axis.
        branches: value on the branches axis.
        weights: settings of the optimiser.
        adjust: tau of post-hoc logit adjustment in its tests; 0: none.
        mix: how images are mixed with one another.
        drop_path: probability that drop path grows to; 0: none.
        auxiliary: weight of the auxiliary classifier's loss.
        averaging: decay of an average of the weights; 0: none.
        sharpness: radius of sharpness-aware steps.
        trains_trunk: False if only the classifier learns.
        fresh_classifier: True to draw the classifier anew before.
        max_norm: limit for the norms of the classifier's rows, as a share of the way from the
            smallest to the largest at the start of the stage; None: no limit.
        scaling_rate: learning rate of a factor of each class; 0: there are no factors.
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
    sharpness: Sharpness = field(default_factory=Sharpness)
    trains_trunk: bool = True
    fresh_classifier: bool = False
    max_norm: float | None = None
    scaling_rate: float = 0.0


def stages(config: c.RetrainConfig, folder: RunFolder) -> list[Stage]:
    """Return the stages of a configuration in their order, each with its folder."""
    planned = [_with_labels(config, folder)]
    match config.pretrain:
        case "none":
            pass
        case "barlow_twins":
            planned.insert(0, _without_labels(config, _inside(folder, "pretrain")))
        case name:
            raise ValueError(f"{name} is no way of pre-training")
    if config.crt.epochs:
        planned.append(_classifier_alone(config, _inside(folder, "crt")))
    return planned


def _inside(folder: RunFolder, name: str) -> RunFolder:
    """Make a folder for a stage in the folder of the run.

    Raises:
        UserError: the folder cannot be made, for example because that of the run was deleted.
    """
    path = folder.path / name
    try:
        path.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise UserError(deleted(folder.path)) from error
    except OSError as error:
        raise UserError(
            f"{path} cannot be created ({error.strerror}): mend that, then {GO_ON}"
        ) from error
    return RunFolder(path, folder.writes)


def _without_labels(config: c.RetrainConfig, folder: RunFolder) -> Stage:
    """Return the stage that trains features by Barlow Twins.

    Branches are mixed by labels: where there are none, one stream trains both.
    """
    return Stage(
        label="pretrain",
        folder=folder,
        epochs=config.pretrain_epochs,
        objective=config.barlow_twins,
        sampler=c.InstanceSampler(),
        branches=c.OneBranch(),
        weights=config.pretrain_weights,
    )


def _with_labels(config: c.RetrainConfig, folder: RunFolder) -> Stage:
    """Return the stage that every training has."""
    return Stage(
        label="retrain",
        folder=folder,
        epochs=config.epochs,
        objective=config.objective,
        sampler=config.sampler,
        branches=config.branches,
        weights=config.weights,
        adjust=config.adjust,
        mix=config.mix,
        drop_path=config.drop_path,
        auxiliary=config.auxiliary,
        averaging=config.averaging,
        sharpness=Sharpness(
            first=config.sharpness, factor=config.sharpness_factor, step=config.sharpness_step
        ),
    )


def _classifier_alone(config: c.RetrainConfig, folder: RunFolder) -> Stage:
    """Return the stage that trains the classifier alone (Kang et al. 2020, section 4)."""
    return Stage(
        label="crt",
        folder=folder,
        epochs=config.crt.epochs,
        objective=config.crt_objective,
        sampler=config.crt_sampler,
        branches=c.OneBranch(),
        weights=config.crt.weights,
        adjust=config.adjust,
        trains_trunk=False,
        fresh_classifier=config.crt.fresh,
        max_norm=config.crt.max_norm,
        scaling_rate=config.crt.scaling_rate,
    )
