"""The search space of a run after zero-shot pruning."""

from __future__ import annotations

from typing import Any

from ltnas import config as c
from ltnas.config.axis import choices
from ltnas.data.long_tail import LongTail
from ltnas.data.seeds import derived_seed
from ltnas.proxies.batch import ProxyBatch, draw_batch
from ltnas.proxies.operation_scores import (
    ProbedSpace,
    Scores,
    leave_one_out,
    marginal,
    saliency,
)
from ltnas.proxies.pruning import Pool, Pruning, of_all_edges, of_each_edge, pruned
from ltnas.proxies.table import PROXIES
from ltnas.proxies.untrained import NetworkSize
from ltnas.runs.folder import RunFolder
from ltnas.space.edge_masks import Mask, Masks, edge_masks
from ltnas.space.layout import chosen_stem, edges

PRUNING_FILE = "pruning.json"
"""Name of the file in a run folder that has the pruned space."""
POOLS: dict[str, Pool] = {"edge_operation": of_each_edge, "operation": of_all_edges}
"""Ways to make win rates that decide, by granularity."""


def pruned_space(config: c.SearchConfig, long_tail: LongTail, folder: RunFolder) -> dict[str, Mask]:
    """Return the operations that each edge keeps in a search, by kind of cell.

    The space is pruned on the CPU by every process, with the same result, and written to
    pruning.json, from which a resumed run reads it.

    Args:
        config: configuration of the search.
        long_tail: images.
        folder: run folder.
    """
    recorded = folder.read_json(PRUNING_FILE)
    if recorded is not None:
        return recorded_masks(recorded, config.space)
    found = prune(config, long_tail, edge_masks(config.space, config.macro.kinds))
    if folder.writes:
        folder.write_json(PRUNING_FILE, records(found, config.space))
    return found.masks


def prune(config: c.SearchConfig, long_tail: LongTail, masks: Masks) -> Pruning:
    """Return the space of a search after zero-shot pruning.

    Args:
        config: configuration of a search with `progression=zero_shot`.
        long_tail: images.
        masks: operations that each edge has before.
    """
    settings = config.progression
    assert isinstance(settings, c.ZeroShot)
    space = probed_space(
        config, masks, channels=settings.channels, cells=settings.cells, long_tail=long_tail
    )
    seeds = [derived_seed(config.seed, repeat) % 2**32 for repeat in range(settings.repeats)]
    repeats = [
        operation_scores(settings, space, draw_batch(long_tail, settings.images, seed), seed)
        for seed in seeds
    ]
    return pruned(space, repeats, settings.keep, POOLS[settings.granularity])


def probed_space(
    config: c.SearchConfig, masks: Masks, *, channels: int, cells: int, long_tail: LongTail
) -> ProbedSpace:
    """Return the space of a search for zero-shot scores.

    Args:
        config: configuration of the search, for its space, its macro-network and its stem.
        masks: operations that each edge has, by kind of cell.
        channels: channels of the first cell of the networks that are scored.
        cells: number of their cells.
        long_tail: images.
    """
    broad = config.macro if isinstance(config.macro, c.BroadCells) else None
    return ProbedSpace(
        operations=tuple(config.space.operations),
        nodes=config.space.nodes,
        masks=masks,
        macro=choices(config)["macro"],
        size=NetworkSize(
            channels=channels,
            cells=cells,
            enhancement_cells=0 if broad is None else broad.enhancement_cells,
            classes=len(long_tail.classes),
            stem=chosen_stem(config.stem, long_tail.image_size),
        ),
    )


def operation_scores(
    settings: c.ZeroShot, space: ProbedSpace, batch: ProxyBatch, seed: int
) -> Scores:
    """Return the scores of all operations in one repeat."""
    proxy = PROXIES[settings.proxy]
    match settings.scoring:
        case "leave_one_out":
            return leave_one_out(space, batch, proxy, seed)
        case "marginal":
            return marginal(space, batch, proxy, seed, samples=settings.samples)
        case "saliency":
            return saliency(space, batch, seed)
        case name:
            raise TypeError(f"{name} is not a score of operations")


def records(found: Pruning, space: c.Space) -> list[dict[str, Any]]:
    """Return the operations of all edges in plain types, with their win rates."""
    return [
        {
            "cell": kind,
            "node": node,
            "source": source,
            "operation": name,
            "win_rate": None if rate != rate else rate,
            "kept": kept,
        }
        for kind, mask in found.masks.items()
        for (node, source), row, rates in zip(
            edges(space.nodes), mask, found.rates[kind].tolist(), strict=True
        )
        for name, kept, rate in zip(space.operations, row, rates, strict=True)
    ]


def recorded_masks(rows: list[dict[str, Any]], space: c.Space) -> dict[str, Mask]:
    """Return the masks of `records`."""
    kept = {
        (row["cell"], row["node"], row["source"], row["operation"]): row["kept"] for row in rows
    }
    return {
        kind: tuple(
            tuple(kept[kind, node, source, name] for name in space.operations)
            for node, source in edges(space.nodes)
        )
        for kind in dict.fromkeys(row["cell"] for row in rows)
    }
