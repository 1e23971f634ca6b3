"""Builders of objectives and of the views that they need."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ltnas import config as c
from ltnas.data.augment import Normalisation, PlainView, TwinView
from ltnas.data.auto_augment import AutoAugment
from ltnas.data.patch_mask import PatchMask
from ltnas.data.policy import Policy
from ltnas.data.rand_augment import RandAugment
from ltnas.data.resized_view import ResizedView
from ltnas.data.stream import View
from ltnas.losses.classification import build_criterion
from ltnas.losses.weights import class_weights
from ltnas.models.classifiers import make_classifier
from ltnas.objectives import Objective
from ltnas.objectives.barlow_twins import BarlowTwins
from ltnas.objectives.classification import Classification, WeightedMean
from ltnas.objectives.glmc import MixtureConsistency, build_heads
from ltnas.objectives.masked_reconstruction import Decoder, MaskedReconstruction
from ltnas.objectives.two_branches import TwoBranches
from ltnas.space.layout import StateShape


def build_objective(
    config: c.Objective,
    feature_size: int,
    counts: Tensor,
    classifier: c.Classifier,
    auxiliary: float = 0.0,
    rebalanced: Tensor | None = None,
    states: Sequence[StateShape] = (),
    class_sizes: Tensor | None = None,
) -> Objective:
    """Build an objective.

    Args:
        config: value on the objective axis.
        feature_size: number of features of the model.
        counts: number of images of each class that the stream shows, [C].
        classifier: value on the classifier axis.
        auxiliary: factor of the auxiliary classifiers' losses.
        rebalanced: number of images of each class that the stream of the re-balancing branch
            shows, [C]; None for one branch.
        states: shapes of the last states of the model, for masked reconstruction.
        class_sizes: number of different training images of each class, [C]; None if they are the
            counts. See `build_criterion`.

    Raises:
        TypeError: the objective or the classifier is unknown.
        ValueError: the decoder is unknown.
    """

    def classification(
        config: c.Classification, counts: Tensor, auxiliary: float = 0.0
    ) -> Classification:
        criterion = build_criterion(config, counts, _cosine_scale(classifier), class_sizes)
        weights = class_weights(config, counts)
        kind = WeightedMean if config.weight_normalisation == "batch" else Classification
        return kind(criterion, weights, config.start, auxiliary)

    match config:
        case c.BarlowTwins():
            return BarlowTwins(
                feature_size=feature_size,
                hidden=config.hidden,
                outputs=config.outputs,
                off_diagonal_weight=config.off_diagonal_weight,
                center=config.center,
            )
        case c.MaskedReconstruction():
            return MaskedReconstruction(
                Decoder(_tapped(config.decoder, states), config.decoder_channels)
            )
        # Before Classification, from which it is derived.
        case c.MixtureConsistency():
            return MixtureConsistency(
                plain=classification(c.CrossEntropy(), counts),
                weighted=classification(config, counts),
                classifier=make_classifier(classifier)(feature_size, len(counts)),
                heads=build_heads(config.heads, feature_size, config.width),
                consistency=config.consistency,
            )
        case c.Classification():
            conventional = classification(config, counts, auxiliary)
            if rebalanced is None:
                return conventional
            # The same loss twice: each branch has the class frequencies of its own stream.
            return TwoBranches(conventional, classification(config, rebalanced))
        case _:
            raise TypeError(f"{config} is not a value on the objective axis")


def _tapped(decoder: str, states: Sequence[StateShape]) -> Sequence[StateShape]:
    """Return the states that a decoder sees."""
    match decoder:
        case "hierarchical":
            return states
        case "single_scale":
            return states[-1:]
        case name:
            raise ValueError(f"{name} is no decoder")


def _cosine_scale(classifier: c.Classifier) -> float:
    """Return the factor that a classifier multiplies cosines by; 1 if it computes none."""
    match classifier:
        case c.CosineClassifier():
            return classifier.scale
        case c.LinearClassifier():
            return 1.0
        case _:
            raise TypeError(f"{classifier} is not a value on the classifier axis")


def build_views(
    config: c.Objective,
    data: c.Data,
    normalisation: Normalisation,
    cutout: int = 0,
    augmentation: c.Augmentation | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[View, ...]:
    """Build the augmentations that make the views of an objective.

    Args:
        config: value on the objective axis.
        data: configuration of the data, for crop and flip.
        normalisation: mean and standard deviation of each channel.
        cutout: side of the erased square in pixels; 0 for no cutout. Plain views only.
        augmentation: value on the augmentation axis; None for plain. Plain views only.
        size: height and width of the images, pixels; only masks need it.

    Raises:
        TypeError: the objective or the augmentation is unknown.
    """
    match config:
        case c.BarlowTwins():
            twin = TwinView(
                normalisation=normalisation,
                min_crop_area=config.min_crop_area,
                flip=data.flip,
                jitter=config.jitter,
                jitter_probability=config.jitter_probability,
                grey_probability=config.grey_probability,
            )
            # One description, whose parameters are drawn for each view.
            return (twin, twin)
        case c.MaskedReconstruction():
            assert size is not None
            view = _view(data, normalisation)
            return (view, PatchMask(*size, patch=config.patch, ratio=config.mask_ratio))
        case c.Classification():
            view = _view(data, normalisation, cutout, _policy(augmentation))
            return (view, view) if isinstance(config, c.MixtureConsistency) else (view,)
        case _:
            raise TypeError(f"{config} is not a value on the objective axis")


def _view(
    data: c.Data, normalisation: Normalisation, cutout: int = 0, policy: Policy | None = None
) -> View:
    """Build a view of an image: of a padded crop, or of a resized crop of a larger image."""
    if data.stored_size is None:
        return PlainView(
            normalisation=normalisation,
            padding=data.crop_padding,
            flip=data.flip,
            cutout=cutout,
            policy=policy,
        )
    assert data.image_size is not None
    return ResizedView(
        normalisation=normalisation,
        side=data.image_size,
        min_crop_area=data.min_crop_area,
        flip=data.flip,
        cutout=cutout,
        policy=policy,
    )


def _policy(augmentation: c.Augmentation | None) -> Policy | None:
    """Build the augmentation between crop and cutout; None for none."""
    match augmentation:
        case None | c.PlainAugmentation():
            return None
        case c.RandAugment():
            return RandAugment(augmentation.count, augmentation.magnitude)
        case c.AutoAugment():
            return AutoAugment(augmentation.fill)
        case _:
            raise TypeError(f"{augmentation} is not a value on the augmentation axis")
