"""From configurations to discrete networks, and from their descriptions back."""

from __future__ import annotations

from typing import Any

from ltnas import config as c
from ltnas.models.branches import BranchedModel
from ltnas.models.classifiers import describe_classifier, described_classifier, make_classifier
from ltnas.models.network import Network
from ltnas.models.resnet import ResNet
from ltnas.space.genotype import Genotype, parse_genotype

LINEAR: dict[str, str | float] = {"kind": "linear"}
"""What a description that says nothing of its classifier means."""


def branch_depth(branches: c.Branches) -> int | None:
    """Of the model of a value on the branches axis; None: it has one branch."""
    return branches.depth if isinstance(branches, c.TwoBranches) else None


def describe_network(config: c.RetrainConfig, genotype: Genotype | None) -> dict[str, Any]:
    """What a network is made of, in plain types."""
    common = {
        "classifier": describe_classifier(config.classifier),
        "branch_depth": branch_depth(config.branches),
    }
    if isinstance(config.network, c.ResNet32):
        return {"depth": config.network.depth, "width": config.network.width, **common}
    assert genotype is not None
    return {
        "genotype": genotype.to_json(),
        "channels": config.channels,
        "cells": config.cells,
        "auxiliary": config.auxiliary > 0,
        "stem": config.stem,
        **common,
    }


def described_network(description: dict[str, Any], classes: int, origin: str) -> BranchedModel:
    """A network of fresh weights, as described.

    Args:
        description: of `describe_network`.
        classes: of the classifier.
        origin: of the description, for errors.

    Raises:
        UserError: the genotype is none.
        KeyError, TypeError, ValueError: it is no description of a network.
    """
    classifier = make_classifier(described_classifier(description.get("classifier", LINEAR)))
    depth = description.get("branch_depth")
    if "genotype" not in description and "depth" in description:
        return ResNet(description["depth"], description["width"], classes, classifier, depth)
    return Network(
        parse_genotype(description["genotype"], origin),
        description["channels"],
        description["cells"],
        classes,
        description["auxiliary"],
        description["stem"],
        classifier,
        depth,
    )
