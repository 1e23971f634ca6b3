"""Learners beside the supernet, and the streams of their images, from the configuration."""

from __future__ import annotations

from collections.abc import Callable

from ltnas import config as c
from ltnas.data.long_tail import LongTail
from ltnas.data.module import Plan
from ltnas.data.samplers import expected_counts
from ltnas.data.subset import Indices
from ltnas.models.branches import BranchedModel
from ltnas.models.classifiers import make_classifier
from ltnas.models.resnet import ResNet
from ltnas.models.resnet18 import ResNet18
from ltnas.models.search_network import SearchNetwork
from ltnas.models.supernet import Supernet
from ltnas.objectives.build import build_objective
from ltnas.training.interleaving import Interleaving, architecture_stream, learner_names
from ltnas.training.learner import Learner
from ltnas.training.levels import Levels
from ltnas.training.search_losses import SearchLosses
from ltnas.training.self_explanation import (
    AUDIENCE,
    DetachedExplanation,
    DifferentiatedExplanation,
)
from ltnas.training.teaching import STUDENT, UNLABELLED, Teaching

MakePlan = Callable[[c.Objective, c.Sampler, Indices], Plan]
"""Describes the stream of an objective with a sampler on some images."""


def build_levels(
    config: c.SearchConfig,
    long_tail: LongTail,
    losses: SearchLosses,
    *,
    others: LongTail,
    half: Indices,
    make_supernet: Callable[[], Supernet],
) -> Levels:
    """Build the other learners of a search, with weights drawn from torch's generator.

    Args:
        config: configuration of the search.
        long_tail: images of the supernet.
        losses: losses of the supernet's learner.
        others: images of the other learners.
        half: positions of the images of their weights.
        make_supernet: builds a supernet like that of the search.

    Raises:
        TypeError: the value is not on the levels axis.
    """

    def learner() -> Learner:
        model = _network(config, len(others.classes), losses.network, make_supernet)
        sizes = others.class_counts_of(half)
        objective = build_objective(
            second_objective(config),
            feature_size=model.feature_size,
            counts=expected_counts(_second_sampler(config), sizes),
            classifier=config.classifier,
            class_sizes=sizes,
            states=model.state_shapes if isinstance(model, SearchNetwork) else (),
        )
        return Learner(model, objective)

    match config.levels:
        case c.TwoLevels():
            return Levels(losses)
        case c.Teaching():
            counts = expected_counts(config.sampler, long_tail.class_counts_of(half))
            return Teaching(losses, learner(), config.levels, counts)
        case c.SelfExplanation(explanation="detached"):
            return DetachedExplanation(losses, learner(), config.levels, long_tail.normalisation)
        case c.SelfExplanation():
            return DifferentiatedExplanation(
                losses, learner(), config.levels, long_tail.normalisation
            )
        case c.Interleaving():
            names = learner_names(config.levels.learners)
            return Interleaving(losses, {name: learner() for name in names}, config.levels)
        case _:
            raise TypeError(f"{config.levels} is not a value on the levels axis")


def second_plans(
    config: c.SearchConfig, of_weights: Indices, of_architecture: Indices, plan: MakePlan
) -> dict[str, Plan]:
    """Return the streams of the other learners of a search by name.

    Args:
        config: configuration of the search.
        of_weights: positions of the images of the weights.
        of_architecture: positions of the images of the architecture.
        plan: describes a stream.

    Raises:
        TypeError: the value is not on the levels axis.
    """

    def own() -> Plan:
        return plan(second_objective(config), _second_sampler(config), of_weights)

    match config.levels:
        case c.TwoLevels():
            return {}
        case c.Teaching():
            # Every image once: a sampler that looks at labels would use what the student must not
            # know.
            unlabelled = plan(second_objective(config), c.InstanceSampler(), of_architecture)
            return {STUDENT: own(), UNLABELLED: unlabelled}
        case c.SelfExplanation():
            return {AUDIENCE: own()}
        case c.Interleaving():
            names = learner_names(config.levels.learners)
            judging = plan(second_objective(config), _second_sampler(config), of_architecture)
            return {name: own() for name in names} | {
                architecture_stream(name): judging for name in names
            }
        case _:
            raise TypeError(f"{config.levels} is not a value on the levels axis")


def _network(
    config: c.SearchConfig,
    classes: int,
    first: SearchNetwork,
    make_supernet: Callable[[], Supernet],
) -> BranchedModel:
    """Build the network of another learner.

    Raises:
        TypeError: the value is not on the axis.
    """
    classifier = make_classifier(config.classifier)
    match config.second_network:
        case c.ResNet18():
            return ResNet18(classes, classifier)
        case c.ResNet32():
            network = config.second_network
            return ResNet(network.depth, network.width, classes, classifier)
        case c.SecondSupernet():
            supernet = make_supernet()
            return first.sharing(supernet, classifier(supernet.state_channels, classes))
        case _:
            raise TypeError(f"{config.second_network} is not a value on the second_network axis")


def second_objective(config: c.SearchConfig) -> c.Objective:
    """Return the objective of the other learners."""
    second = config.second_objective
    return config.objective if isinstance(second, c.SameObjective) else second


def _second_sampler(config: c.SearchConfig) -> c.Sampler:
    """Return the sampler of the images of the other learners."""
    second = config.second_sampler
    return config.sampler if isinstance(second, c.SameSampler) else second
