"""Layout of cells that supernet and discrete network share: edges, reductions, channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ltnas.config import require_two_blocks
from ltnas.errors import UserError


def edges(nodes: int) -> list[tuple[int, int]]:
    """Return all edges (node, source) of a cell, in the order of the architecture parameters' rows.

    States 0 and 1 are the outputs of the two cells before. Intermediate nodes are the states 2 to
    nodes + 1, each with an edge from every state before it; 4 nodes have 14 edges.

    Args:
        nodes: number of intermediate nodes.
    """
    # Node by node, as in the authors' code: rows of architecture parameters and names of weights in
    # published checkpoints depend on this order.
    return [(node, source) for node in range(2, 2 + nodes) for source in range(node)]


def reductions(cells: int) -> set[int]:
    """Return the numbers of the cells that halve the size and double the width.

    They are at a third and at two thirds of the depth.
    """
    # As in the authors' code; for very few cells the two numbers may be the same cell.
    return {cells // 3, 2 * cells // 3}


@dataclass(frozen=True)
class CellPlan:
    """Kind and width of a cell, and widths of its inputs.

    Args:
        channels: channels of each node.
        before_previous: channels of the output of the cell before the previous one.
        previous: channels of the output of the previous cell.
        reduction: True for a cell that halves the size.
        follows_reduction: True if the previous cell halves the size, so that the output of the
            cell before it has twice the size.
        kind: kind of the cell, by which it has its architecture parameters or its genotype.
    """

    channels: int
    before_previous: int
    previous: int
    reduction: bool
    follows_reduction: bool
    kind: str


@dataclass(frozen=True)
class StateShape:
    """Shape of a state beside the images: [B, channels, H / 2^halvings, W / 2^halvings].

    Args:
        channels: number of channels.
        halvings: number of times that the size of the images was halved.
    """

    channels: int
    halvings: int


def last_state_shapes(
    plans: Sequence[CellPlan], channels: int, stem_halvings: int = 0
) -> list[StateShape]:
    """Return the shape of the last state at each resolution of the cells, the finest first.

    Args:
        plans: plans of the cells.
        channels: channels of the last state of all.
        stem_halvings: number of times that the stem halves the size of the images.
    """
    # What a reduction cell sees is the last state before it; for a first cell the stem's output.
    widths = [plan.previous for plan in plans if plan.reduction]
    return [
        StateShape(width, halvings)
        for halvings, width in enumerate([*widths, channels], start=stem_halvings)
    ]


def cell_plans(
    channels: int,
    cells: int,
    widths: dict[str, int],
    stem: int,
    stem_before: int,
    stem_reduces: bool = False,
) -> list[CellPlan]:
    """Return the plan of every cell of a stack of normal and reduction cells.

    Args:
        channels: channels of the first cell.
        cells: number of cells in the stack.
        widths: number of nodes that a cell concatenates, by kind.
        stem: channels of the stem's second output, the previous state of the first cell.
        stem_before: channels of the stem's first output, the state before that.
        stem_reduces: True if the stem's second output has half the size of its first.
    """
    plans = []
    # Channels of the last two outputs, and whether the last cell halved the size.
    before, previous, reduced = stem_before, stem, stem_reduces
    for index in range(cells):
        reduction = index in reductions(cells)
        kind = "reduce" if reduction else "normal"
        channels *= 2 if reduction else 1
        plan = CellPlan(
            channels=channels,
            before_previous=before,
            previous=previous,
            reduction=reduction,
            follows_reduction=reduced,
            kind=kind,
        )
        plans.append(plan)
        before, previous, reduced = previous, channels * widths[kind], reduction
    return plans


STEM_HALVINGS = {"cifar": 0, "imagenet": 3}
"""Number of times that a stem halves the size of the images, by stem."""
IMAGENET_STEM_SIZE = 96
"""Smallest side of images for which `auto` stands for the ImageNet stem, pixels."""
AUXILIARY_SIZE = {"cifar": 8, "imagenet": 7}
"""Side of the smallest state that the auxiliary classifier of DARTS can pool, pixels, by stem."""


def chosen_stem(stem: str, image_size: int) -> str:
    """Return the stem of a network for images of a size.

    Args:
        stem: `cifar` or `imagenet`, which are returned; or `auto`, which leaves the choice to the
            size of the images.
        image_size: side of the images, pixels.
    """
    if stem != "auto":
        return stem
    # At 96 pixels, cells behind the ImageNet stem see 12 pixels, and the last ones 3.
    return "imagenet" if image_size >= IMAGENET_STEM_SIZE else "cifar"


def _halvings(cells: int, macro: str) -> int:
    """Return how often the cells of a network halve the size of its states."""
    match macro:
        case "cells":
            return len(reductions(cells))
        case "broad":
            return 2  # one broad cell in each of its two blocks
        case _:
            raise ValueError(f"{macro} is not a macro-network")


def check_image_size(
    size: int, cells: int, auxiliary: bool, stem: str, macro: str = "cells"
) -> None:
    """Check that a network can process images of a size.

    Args:
        size: side of the images, pixels.
        cells: number of cells, in a broad network of convolution cells.
        auxiliary: True if there is an auxiliary classifier.
        stem: `cifar` or `imagenet`.
        macro: name of the macro-network.

    Raises:
        UserError: the images are too small for the reductions or for the auxiliary classifier, or
            their size is not a multiple of what the reductions divide it by, or a broad network has
            too few cells.
    """
    if macro == "broad":
        require_two_blocks(cells)
    divisor = 2 ** (_halvings(cells, macro) + STEM_HALVINGS[stem])
    if size % divisor or size < 2 * divisor:
        raise UserError(
            f"images of {size}x{size} pixels cannot be halved as often as {cells} cells with "
            f"stem={stem} do: take data.image_size, a multiple of {divisor} and at least "
            f"{2 * divisor}{_or_another_stem(stem)}"
        )
    left, needed = size // divisor, AUXILIARY_SIZE[stem]
    if auxiliary and left < needed:
        raise UserError(
            f"images of {size}x{size} pixels leave {left}x{left} for the auxiliary classifier, "
            f"which needs {needed}x{needed}: take a larger data.image_size, or auxiliary=0"
            f"{_or_another_stem(stem)}"
        )


def _or_another_stem(stem: str) -> str:
    """Return the end of an error message that names the stem for smaller images, if there is."""
    return ", or stem=cifar" if stem == "imagenet" else ""
