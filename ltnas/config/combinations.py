"""Checks of combinations of axis values, for both commands."""

from __future__ import annotations

from ltnas.config.axis import name_of
from ltnas.config.branches import Branches, TwoBranches
from ltnas.config.classifier import Classifier, CosineClassifier
from ltnas.config.mix import Mix, MixupAndCutMix
from ltnas.config.objective import (
    OBJECTIVES,
    Ldam,
    MixtureConsistency,
    Objective,
    SelfSupervised,
)
from ltnas.config.requirements import require
from ltnas.config.sampler import ReversedSampler, Sampler


def require_two_blocks(cells: int) -> None:
    """Raise a `UserError` unless the convolution cells are enough for a broad network."""
    require(
        cells >= 2,
        f"cells={cells} in a broad network: each of its two blocks needs a convolution cell; take "
        "cells=2 or more",
    )


def require_two_views(mix: Mix, objective: Objective) -> None:
    """Raise a `UserError` unless a mix of two views and an objective of two views come together."""
    require(
        isinstance(objective, MixtureConsistency) == isinstance(mix, MixupAndCutMix),
        "objective=mixture_consistency and mix=mixup_and_cutmix go together: it compares both "
        "views of an image, and no other objective sees the second; set both, or neither",
    )


def require_one_stream(branches: Branches, rebalancing: Sampler, *objectives: Objective) -> None:
    """Raise a `UserError` for branches without labels or a second stream without a branch."""
    two = isinstance(branches, TwoBranches)
    require(
        two or isinstance(rebalancing, ReversedSampler),
        "rebalancing_sampler with branches=one: there is no second stream to draw; take "
        "branches=two, or sampler=... for the only one",
    )
    for objective in objectives:
        require(
            not (two and isinstance(objective, SelfSupervised)),
            f"branches=two with objective={name_of('objective', OBJECTIVES, objective)}: the "
            "branches are mixed by their losses of labels; take branches=one, or an objective with "
            "labels",
        )


def require_cosines(key: str, objective: Objective, classifier: Classifier) -> None:
    """Raise a `UserError` for LDAM on logits that are no cosines."""
    require(
        not isinstance(objective, Ldam) or isinstance(classifier, CosineClassifier),
        f"{key}=ldam needs a normalised classifier, for its margins are those of cosines: add "
        "classifier=cosine",
    )
