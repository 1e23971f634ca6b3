"""Describe discrete networks in plain types, and build them from their descriptions."""

from __future__ import annotations

from typing import Any

from torch import nn

from ltnas import config as c
from ltnas.models.branches import BranchedModel
from ltnas.models.broad_network import BroadNetwork
from ltnas.models.classifiers import (
    MakeClassifier,
    describe_classifier,
    described_classifier,
    make_classifier,
)
from ltnas.models.network import Network
from ltnas.models.resnet import ResNet
from ltnas.space.genotype import Genotype, parse_genotype
from ltnas.space.layout import chosen_stem

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


def describe_network(
    config: c.RetrainConfig, genotype: Genotype | None, image_size: int
) -> dict[str, Any]:
    """Return all that is needed to build a network, in plain types.

    Args:
        config: configuration of the training.
        genotype: genotype of a searched network; None for a residual network.
        image_size: side of the images, pixels, which `stem=auto` depends on.
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
                **_cells_of(config, genotype.macro),
                "auxiliary": config.auxiliary > 0,
                "stem": chosen_stem(config.stem, image_size),
                **common,
            }
        case _:
            raise TypeError(f"{config.network} is not a value on the network axis")


def _cells_of(config: c.RetrainConfig, macro: str) -> dict[str, int]:
    """Return the numbers of cells that the network of a macro-network has beside `cells`."""
    return {"enhancement_cells": config.enhancement_cells} if macro == "broad" else {}


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
    return build_searched_network(
        parse_genotype(description["genotype"], origin),
        channels=description["channels"],
        cells=description["cells"],
        enhancement_cells=description.get("enhancement_cells", 0),
        classes=classes,
        auxiliary=description["auxiliary"],
        stem=description["stem"],
        classifier=classifier,
        branch_depth=depth,
    )


def build_searched_network(
    genotype: Genotype,
    *,
    channels: int,
    cells: int,
    enhancement_cells: int,
    classes: int,
    auxiliary: bool,
    stem: str,
    classifier: MakeClassifier = nn.Linear,
    branch_depth: int | None = None,
) -> Network | BroadNetwork:
    """Build the discrete network of a genotype, with weights drawn from torch's generator.

    Args:
        genotype: genotype, whose macro-network decides which network it is.
        channels: channels of the first cell.
        cells: number of cells; of convolution cells in a broad network.
        enhancement_cells: number of enhancement cells of a broad network; others have none.
        classes: number of classes.
        auxiliary: True to add an auxiliary classifier.
        stem: `cifar` or `imagenet`.
        classifier: makes a classifier from the size of features and the number of classes.
        branch_depth: 0 or 1 for two branches (see `BranchedModel`); None: one branch.

    Raises:
        UserError: nothing reaches the output of a cell.
        ValueError: the macro-network or the stem is unknown.
    """
    match genotype.macro:
        case "cells":
            return Network(
                genotype,
                channels,
                cells,
                classes=classes,
                auxiliary=auxiliary,
                stem=stem,
                classifier=classifier,
                branch_depth=branch_depth,
            )
        case "broad":
            return BroadNetwork(
                genotype,
                channels,
                cells,
                enhancement_cells,
                classes=classes,
                auxiliary=auxiliary,
                stem=stem,
                classifier=classifier,
                branch_depth=branch_depth,
            )
        case _:
            raise ValueError(f"{genotype.macro} is not a macro-network")
