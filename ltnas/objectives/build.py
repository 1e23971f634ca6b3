"""From a value on the objective axis to its module and the views it needs."""

from __future__ import annotations

from ltnas import config as c
from ltnas.data.augment import Normalisation, PlainView, TwinView
from ltnas.data.stream import View
from ltnas.objectives import Objective
from ltnas.objectives.barlow_twins import BarlowTwins
from ltnas.objectives.cross_entropy import CrossEntropy


def build_objective(config: c.Objective, feature_size: int, auxiliary: float = 0.0) -> Objective:
    """The module of an objective for a model with features of the given size."""
    match config:
        case c.BarlowTwins():
            return BarlowTwins(
                feature_size,
                config.hidden,
                config.outputs,
                config.off_diagonal_weight,
                config.center,
            )
        case _:
            return CrossEntropy(auxiliary)


def build_views(
    config: c.Objective, data: c.Data, normalisation: Normalisation, cutout: int = 0
) -> tuple[View, ...]:
    """What the objective sees of each image."""
    match config:
        case c.BarlowTwins():
            twin = TwinView(
                normalisation,
                config.min_crop_area,
                data.flip,
                config.jitter,
                config.jitter_probability,
                config.grey_probability,
            )
            return (twin, twin)
        case _:
            return (PlainView(normalisation, data.crop_padding, data.flip, cutout),)
