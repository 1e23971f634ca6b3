"""Where edges, reductions and channels are: the plan that supernet and network share."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.errors import UserError

KINDS = ("normal", "reduce")
"""The two kinds of cell, each with architecture parameters of its own."""


def edges(nodes: int) -> list[tuple[int, int]]:
    """All edges (node, source) of a cell, in the order of the architecture parameters' rows.

    States 0 and 1 are the outputs of the two cells before; intermediate nodes are the states 2 to
    nodes + 1, each with an edge from every state before it: 14 edges for 4 nodes.
    """
    return [(node, source) for node in range(2, 2 + nodes) for source in range(node)]


def reductions(cells: int) -> set[int]:
    """Cells at a third and two thirds of the depth, which halve the size and double the width."""
    return {cells // 3, 2 * cells // 3}


def kind(reduction: bool) -> str:
    """The kind of a cell."""
    return KINDS[reduction]


@dataclass(frozen=True)
class CellPlan:
    """One cell: its width, and the channels of the states that reach it."""

    channels: int
    before_previous: int
    previous: int
    reduction: bool
    follows_reduction: bool


def cell_plans(
    channels: int,
    cells: int,
    widths: dict[str, int],
    stem: int,
    stem_before: int,
    stem_reduces: bool = False,
) -> list[CellPlan]:
    """The plan of every cell.

    Args:
        channels: width of the first cell.
        cells: how many.
        widths: nodes that a cell of each kind concatenates.
        stem: channels that reach the first cell as its previous state.
        stem_before: channels that reach it as the state before that.
        stem_reduces: whether the stem's second output has half the size of its first.
    """
    plans = []
    before, previous, reduced = stem_before, stem, stem_reduces
    for index in range(cells):
        reduction = index in reductions(cells)
        channels *= 2 if reduction else 1
        plans.append(CellPlan(channels, before, previous, reduction, reduced))
        before, previous, reduced = previous, channels * widths[kind(reduction)], reduction
    return plans


AUXILIARY_SIZE = {"cifar": 8, "imagenet": 7}
"""Smallest feature map, pixels, that the auxiliary classifier of DARTS can pool, by stem."""


def check_image_size(size: int, cells: int, auxiliary: bool, stem: str) -> None:
    """Raise a `UserError` if images are too small for the reductions or the auxiliary classifier.

    Args:
        size: side of the images, pixels.
        cells: in the stack.
        auxiliary: whether there is an auxiliary classifier.
        stem: `cifar` or `imagenet`.
    """
    divisor = (2 ** len({cells // 3, 2 * cells // 3})) * (8 if stem == "imagenet" else 1)
    if size % divisor or size < 2 * divisor:
        raise UserError(
            f"images of {size}x{size} pixels cannot be halved as often as {cells} cells with "
            f"stem={stem} do: take data.image_size, a multiple of {divisor} and at least "
            f"{2 * divisor}"
        )
    left, needed = size // divisor, AUXILIARY_SIZE[stem]
    if auxiliary and left < needed:
        raise UserError(
            f"images of {size}x{size} pixels leave {left}x{left} for the auxiliary classifier, "
            f"which needs {needed}x{needed}: take a larger data.image_size, or auxiliary=0"
        )
