"""Cost of candidate operations in a supernet, computed from its layout alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ltnas.space.layout import CellPlan, edges


class Cost(NamedTuple):
    """Cost of an operation for one image, as in the code of SNAS (Xie et al. 2019).

    Normalisations count nothing, and an identity nothing but its accesses.
    """

    parameters: int = 0
    multiply_accumulates: int = 0
    accesses: int = 0
    """Number of values that its layers read and write: activations and weights."""


def _total(*costs: Cost) -> Cost:
    """Return the sum of the costs of the layers of an operation."""
    return Cost(*map(sum, zip(*costs, strict=True)))


def _convolution(inputs: int, outputs: int, groups: int, kernel: int, read: int, side: int) -> Cost:
    """Return the cost of a convolution.

    Args:
        inputs: channels that it reads.
        outputs: channels that it writes.
        groups: number of groups.
        kernel: side of its kernels.
        read: side of its input, pixels.
        side: side of its output, pixels.
    """
    parameters = kernel**2 * inputs * outputs // groups
    accesses = inputs * read**2 + outputs * side**2 + parameters
    return Cost(parameters, parameters * side**2, accesses)


def _unit(channels: int, kernel: int, read: int, side: int) -> Cost:
    """Return the cost of a depthwise and a pointwise convolution."""
    return _total(
        _convolution(channels, channels, channels, kernel, read, side),
        _convolution(channels, channels, 1, 1, side, side),
    )


def operation_cost(name: str, channels: int, side: int, stride: int) -> Cost:
    """Return the cost of a candidate operation on one edge.

    Args:
        name: candidate operation.
        channels: channels that it reads and writes.
        side: side of its output, pixels.
        stride: 1 or 2.

    Raises:
        ValueError: the name is unknown.
    """
    read = side * stride
    accesses = channels * (read**2 + side**2)
    match name:
        case "none":
            return Cost()
        case "noise":
            return Cost(accesses=channels * side**2)  # it reads nothing
        case "skip_connect" if stride == 1:
            return Cost(accesses=accesses)
        case "skip_connect":
            # Two convolutions, each of which reads the state and writes half of the channels.
            half = _convolution(channels, channels // 2, 1, 1, read, side)
            return _total(half, half)
        case "max_pool_3x3" | "avg_pool_3x3":
            return Cost(0, 9 * channels * side**2, accesses)
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(name[-1])
            return _total(_unit(channels, kernel, read, side), _unit(channels, kernel, side, side))
        case "dil_conv_3x3" | "dil_conv_5x5":
            return _unit(channels, int(name[-1]), read, side)
        case _:
            raise ValueError(f"{name} is not a candidate operation")


def supernet_costs(
    operations: Sequence[str],
    nodes: int,
    *,
    plans: Sequence[CellPlan],
    side: int,
    partial_channels: int,
) -> dict[str, list[list[list[Cost]]]]:
    """Return the costs of all candidate operations of a supernet.

    Args:
        operations: candidate operations, in the order of the mixing weights' columns.
        nodes: number of intermediate nodes of a cell.
        plans: plans of the cells, in the order in which they are computed.
        side: side of the inputs of the first cell, pixels; that of its second input if the stem
            halves the size between them.
        partial_channels: K; operations see 1/K of the channels.

    Returns:
        Costs by kind of the cells that there are, [cells of the kind][edges][operations].
    """
    found: dict[str, list[list[list[Cost]]]] = {}
    for plan in plans:
        side = side // 2 if plan.reduction else side
        strides = [2 if plan.reduction and source < 2 else 1 for _, source in edges(nodes)]
        width = plan.channels // partial_channels
        found.setdefault(plan.kind, []).append(
            [
                [operation_cost(name, width, side, stride) for name in operations]
                for stride in strides
            ]
        )
    return found
