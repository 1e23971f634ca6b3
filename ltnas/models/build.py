"""Describe discrete networks in plain types, and build them from their descriptions."""

from __future__ import annotations

from typing import Any

from ltnas import config as c
from ltnas.models.branches import BranchedModel
from ltnas.models.classifiers import describe_classifier, described_classifier, make_classifier
from ltnas.models.network import Network
from ltnas.models.resnet import ResNet
from ltnas.space.genotype import Genotype, parse_genotype

LINEAR: dict[str, str | float] = {"kind": "linear"}
"""Classifier of a network whose description names none."""


def branch_depth(branches: c.Branches) -> int | None:
    """Return `BranchedModel.branch_depth` of a value on the branches axis."""
    match branches:
        case c.TwoBranches():
            return branches.depth
        case c.OneBranch():
            return None
        case _:
            raise TypeError(f"{branches} is not a value on the branches axis")


def describe_network(config: c.RetrainConfig, genotype: Genotype | None) -> dict[str, Any]:
    """Return all that is needed to build a network, in plain types.

    Args:
        config: configuration of the training.
        genotype: genotype of a searched network; None for a residual network.
    """
    common = {
        "classifier": describe_classifier(config.classifier),
        "branch_depth": branch_depth(config.branches),
    }
    match config.network:
        case c.ResNet32():
            return {"depth": config.network.depth, "width": config.network.width, **common}
        case c.SearchedNetwork():
            assert genotype is not None
            return {
                "genotype": genotype.to_json(),
                "channels": config.channels,
                "cells": config.cells,
                "auxiliary": config.auxiliary > 0,
                "stem": config.stem,
                **common,
            }
        case _:
            raise TypeError(f"{config.network} is not a value on the network axis")


def described_network(description: dict[str, Any], classes: int, origin: str) -> BranchedModel:
    """Build a network with initial weights from its description.

    Args:
        description: result of `describe_network`.
        classes: number of classes.
        origin: where the description comes from, for error messages.

    Raises:
        UserError: the genotype is not valid.
        KeyError, TypeError, ValueError: the description is not valid.
    """
    classifier = make_classifier(described_classifier(description.get("classifier", LINEAR)))
    depth = description.get("branch_depth")
    # A residual network has no genotype; its depth counts layers.
    if "genotype" not in description:
        return ResNet(
            depth=description["depth"],
            width=description["width"],
            classes=classes,
            classifier=classifier,
            branch_depth=depth,
        )
    return Network(
        genotype=parse_genotype(description["genotype"], origin),
        channels=description["channels"],
        cells=description["cells"],
        classes=classes,
        auxiliary=description["auxiliary"],
        stem=description["stem"],
        classifier=classifier,
        branch_depth=depth,
    )
