"""From a value on the objective axis to its module and the views it needs."""

from __future__ import annotations

from torch import Tensor

from ltnas import config as c
from ltnas.data.augment import Normalisation, PlainView, TwinView
from ltnas.data.rand_augment import RandAugment
from ltnas.data.stream import View
from ltnas.losses.classification import build_criterion
from ltnas.losses.weights import class_weights
from ltnas.models.classifiers import make_classifier
from ltnas.objectives import Objective
from ltnas.objectives.barlow_twins import BarlowTwins
from ltnas.objectives.classification import Classification
from ltnas.objectives.glmc import MixtureConsistency
from ltnas.objectives.two_branches import TwoBranches


def build_objective(
    config: c.Objective,
    feature_size: int,
    counts: Tensor,
    classifier: c.Classifier,
    auxiliary: float = 0.0,
    rebalanced: Tensor | None = None,
) -> Objective:
    """The module of an objective.

    Args:
        config: value on the axis.
        feature_size: of the model.
        counts: images of each class that its stream shows, [C].
        classifier: of the model.
        auxiliary: weight of the auxiliary logits.
        rebalanced: as `counts`, of the second branch's stream; None: there is one branch.
    """
    match config:
        case c.BarlowTwins():
            return BarlowTwins(
                feature_size,
                config.hidden,
                config.outputs,
                config.off_diagonal_weight,
                config.center,
            )
        case c.MixtureConsistency():
            return MixtureConsistency(
                _classification(c.CrossEntropy(), counts, classifier, 0.0),
                _classification(config, counts, classifier, 0.0),
                feature_size,
                make_classifier(classifier)(feature_size, len(counts)),
                config.width,
                config.consistency,
            )
        case c.Classification():
            first = _classification(config, counts, classifier, auxiliary)
            if rebalanced is None:
                return first
            return TwoBranches(first, _classification(config, rebalanced, classifier, 0.0))
        case _:
            raise TypeError(f"{config} is not a value on the objective axis")


def _classification(
    config: c.Classification, counts: Tensor, classifier: c.Classifier, auxiliary: float
) -> Classification:
    scale = classifier.scale if isinstance(classifier, c.CosineClassifier) else 1.0
    criterion, weights = build_criterion(config, counts, scale), class_weights(config, counts)
    return Classification(criterion, weights, config.start, auxiliary)


def build_views(
    config: c.Objective,
    data: c.Data,
    normalisation: Normalisation,
    cutout: int = 0,
    augmentation: c.Augmentation | None = None,
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
            policy = (
                RandAugment(augmentation.count, augmentation.magnitude)
                if isinstance(augmentation, c.RandAugment)
                else None
            )
            view = PlainView(normalisation, data.crop_padding, data.flip, cutout, policy)
            return (view, view) if isinstance(config, c.MixtureConsistency) else (view,)
