"""The best of random architectures by a zero-shot proxy."""

from __future__ import annotations

import random
from typing import Any

from ltnas import config as c
from ltnas.data.long_tail import LongTail
from ltnas.proxies.batch import draw_batch
from ltnas.proxies.table import PROXIES
from ltnas.proxies.untrained import untrained_network
from ltnas.space.drawing import draw_genotype
from ltnas.space.edge_masks import Masks
from ltnas.space.genotype import Genotype
from ltnas.training.zero_shot import probed_space


def best_by_proxy(
    config: c.SearchConfig, long_tail: LongTail, masks: Masks
) -> tuple[Genotype, list[dict[str, Any]]]:
    """Return the random architecture with the best proxy, and the scores of all of them.

    The networks have the channels and cells of the search. The first candidate is the genotype that
    `selection=random` draws with the same seed.

    Args:
        config: configuration of a search with `selection=by_proxy`.
        long_tail: images.
        masks: operations that each edge has, by kind of cell.
    """
    selection = config.selection
    assert isinstance(selection, c.BestByProxy)
    space = probed_space(
        config, masks, channels=config.channels, cells=config.cells, long_tail=long_tail
    )
    batch, proxy = draw_batch(long_tail, selection.images, config.seed), PROXIES[selection.proxy]
    generator = random.Random(config.seed)
    scored = []
    for _ in range(selection.candidates):
        genotype = draw_genotype(space.operations, space.nodes, masks, generator, space.macro)
        score = proxy(untrained_network(genotype, space.size, config.seed), batch, config.seed)
        scored.append((genotype, score))
    records = [
        {"candidate": number, selection.proxy: score, "genotype": genotype.to_json()}
        for number, (genotype, score) in enumerate(scored)
    ]
    # `max` keeps the first of equal scores; a score that is not a number never wins.
    best = max(scored, key=lambda pair: pair[1] if pair[1] == pair[1] else float("-inf"))
    return best[0], records
