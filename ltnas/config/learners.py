"""Checks of the learners of a search beside its supernet."""

from __future__ import annotations

from ltnas.config.data import Data
from ltnas.config.gradient import Gradient
from ltnas.config.levels import Interleaving, Levels, SelfExplanation
from ltnas.config.objective import SECOND_OBJECTIVES, SelfSupervised
from ltnas.config.requirements import require

SECOND = {"second_network": "resnet18", "second_objective": "same", "second_sampler": "same"}
"""Values of the second learner's axes in a configuration that names none."""


def require_fitting_learners(levels: Levels, gradient: Gradient, names: dict[str, str]) -> None:
    """Raise a `UserError` for learners that do not fit the other settings.

    Args:
        levels: value on the levels axis.
        gradient: value on the gradient axis.
        names: name of the value on each axis.
    """
    if levels.second_learner:
        _check_reachable(levels, gradient, names)
        _check_like_the_first(levels, names)
        return
    given = [f"{axis}={names[axis]}" for axis in SECOND if names[axis] != SECOND[axis]]
    require(
        not given,
        f"{', '.join(given)} with levels=two: there is no second learner; take levels="
        "teaching, self_explanation or interleaving",
    )


def require_two_data_sets(levels: Levels, second: Data | None) -> None:
    """Raise a `UserError` for a second data set that no learner sees."""
    require(
        second is None or isinstance(levels, Interleaving),
        f"second_data.source={second and second.source} is for levels=interleaving, whose learners "
        "may have a data set each: take levels=interleaving, or leave second_data out",
    )


def _check_reachable(levels: Levels, gradient: Gradient, names: dict[str, str]) -> None:
    """Raise a `UserError` if the other learners' losses have no gradient in the architecture."""
    chosen, network = f"levels={names['levels']}", f"second_network={names['second_network']}"
    supernet = names["second_network"] == "supernet"
    require(
        gradient.needs_images,
        f"gradient={names['gradient']} with {chosen}: the architecture's loss on its own "
        "images is that of all learners; take gradient=second_order",
    )
    require(
        supernet or gradient.compares_passes,
        f"gradient={names['gradient']} with {chosen} and {network}, which has no architecture "
        "parameters: only a virtual step of the supernet reaches it; take gradient=second_order",
    )
    require(
        not isinstance(levels, Interleaving) or levels.depth is None or gradient.compares_passes,
        f"levels.depth with gradient={names['gradient']}: there are no virtual steps; take "
        "gradient=second_order, or levels.depth=null",
    )
    require(
        supernet or not isinstance(levels, Interleaving),
        f"{network} with levels=interleaving, whose learners have one architecture: take "
        "second_network=supernet",
    )
    require(
        supernet
        or not isinstance(levels, SelfExplanation)
        or levels.explanation == "differentiated",
        f"levels.explanation=detached with {network}: the gradient of the audience's loss in "
        "the architecture would be exactly zero; take levels.explanation=differentiated, or "
        "second_network=supernet",
    )


def _check_like_the_first(levels: Levels, names: dict[str, str]) -> None:
    """Raise a `UserError` for settings that the steps of the other learners do not have."""
    chosen = f"levels={names['levels']}"
    unlabelled = [
        f"{axis}={names[axis]}"
        for axis in ("objective", "architecture_objective", "second_objective")
        if issubclass(SECOND_OBJECTIVES[names[axis]], SelfSupervised)
    ]
    require(
        not (unlabelled and levels.needs_labels),
        f"{', '.join(unlabelled)} with {chosen}, whose learners need classifiers that learn "
        "from labels: take cross_entropy for each",
    )
    require(
        names["branches"] == "one",
        f"branches=two with {chosen}: the streams of the other learners have one branch; take "
        "branches=one",
    )
    for axis in ("perturbation", "operation_stopping"):
        require(
            names[axis] == "none",
            f"{axis}={names[axis]} with {chosen}: it would change the steps of the first "
            f"learner alone; take {axis}=none",
        )
