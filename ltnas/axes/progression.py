"""The progression axis: the stages of a search, and the operations that each of them keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate

from torch import Tensor

from ltnas import config as c
from ltnas.space.edge_masks import Mask


@dataclass(frozen=True, kw_only=True)
class SearchStage:
    """One stage of a search: the supernet that it trains, and its epochs.

    Args:
        number: number of the stage, from 0.
        first_epoch: number of epochs of the stages before.
        epochs: number of epochs of the stage.
        cells: number of cells of the supernet.
        partial_channels: K of its cells.
        operations: largest number of candidate operations of an edge; None: all of the space.
        skip_dropout: first probability of dropout after skip connections.
        restarts: True if learning rates start anew, False if they run through all stages.
        inherits: True if weights, architecture parameters and the state of optimisers come from the
            stage before.
    """

    number: int
    first_epoch: int
    epochs: int
    cells: int
    partial_channels: int
    operations: int | None = None
    skip_dropout: float = 0.0
    restarts: bool = False
    inherits: bool = False


def single_stage(epochs: int) -> SearchStage:
    """Return the only stage of a search whose space stays as it is, apart from its network."""
    return SearchStage(number=0, first_epoch=0, epochs=epochs, cells=0, partial_channels=1)


def epochs_of_stages(progression: c.Progression, epochs: int) -> list[int]:
    """Return the number of epochs of each stage; equal parts if the configuration names none."""
    given = progression.epochs if isinstance(progression, c.Staged) else None
    if given is not None:
        return given
    # A remainder belongs to the first stages.
    parts = progression.stages
    return [epochs // parts + (part < epochs % parts) for part in range(parts)]


def search_stages(config: c.SearchConfig) -> list[SearchStage]:
    """Return the stages of a search.

    Raises:
        TypeError: the progression is not a value on the axis.
    """
    progression = config.progression
    epochs = epochs_of_stages(progression, config.epochs)
    # Stages that differ in their epochs alone.
    stages = [
        SearchStage(
            number=number,
            first_epoch=first,
            epochs=count,
            cells=config.cells,
            partial_channels=config.partial_channels,
        )
        for number, (first, count) in enumerate(
            zip(accumulate(epochs, initial=0), epochs, strict=False)
        )
    ]
    match progression:
        case c.NoProgression() | c.ZeroShot():
            return stages
        case c.Deepen():
            return [
                replace(
                    stage,
                    cells=stage.cells + progression.added_cells[stage.number],
                    operations=progression.operations[stage.number],
                    skip_dropout=progression.skip_dropout[stage.number],
                    restarts=True,
                )
                for stage in stages
            ]
        case c.Widen():
            return [
                replace(
                    stage,
                    partial_channels=progression.partial_channels[stage.number],
                    operations=progression.operations[stage.number],
                    inherits=stage.number > 0,
                )
                for stage in stages
            ]
        case _:
            raise TypeError(f"{progression} is not a value on the progression axis")


def keep_strongest(strengths: Tensor, mask: Mask, operations: tuple[str, ...], count: int) -> Mask:
    """Return a mask with the strongest operations of each edge (P-DARTS, DrNAS).

    Of equal strengths the first operation counts. An edge keeps an operation besides `none`.

    Args:
        strengths: what selection ranks, [edges, operations].
        mask: operations that each edge has.
        operations: names of the candidate operations.
        count: largest number of operations of an edge.
    """
    kept = []
    for row, allowed in zip(strengths.tolist(), mask, strict=True):
        columns = [column for column, there in enumerate(allowed) if there]
        ranked = sorted(columns, key=lambda column: -row[column])
        chosen = ranked[:count]
        if all(operations[column] == "none" for column in chosen):
            others = [column for column in ranked if operations[column] != "none"]
            chosen[-1:] = others[:1]
        kept.append(tuple(column in chosen for column in range(len(allowed))))
    return tuple(kept)


def skip_dropout_rate(first: float, epoch: int, epochs: int, warmup: int) -> float:
    """Return the probability of dropout after skip connections in an epoch of a stage (P-DARTS).

    p (E - e - 1) / E in the epochs without architecture steps, and p exp(-0.2 (e - warm-up)) after,
    as in the published code.

    Args:
        first: p of the stage.
        epoch: number of the epoch in the stage, from 0.
        epochs: number of epochs of the stage.
        warmup: number of first epochs without architecture steps.
    """
    if epoch < warmup:
        return first * (epochs - epoch - 1) / epochs
    return first * math.exp(-0.2 * (epoch - warmup))
