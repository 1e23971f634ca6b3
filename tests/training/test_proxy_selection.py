"""The best of random architectures by a zero-shot proxy."""

import json

import pytest
from composed import composed

from ltnas.data.long_tail import load_long_tail
from ltnas.search import search
from ltnas.space.drawing import random_genotype
from ltnas.space.edge_masks import edge_masks
from ltnas.space.genotype import load_genotype
from ltnas.training.proxy_selection import best_by_proxy

WORDS = (
    *("scheme=naswot", "space.nodes=2", "selection.candidates=6", "selection.images=8"),
    "selection.proxy=parameters",
)


def test_the_largest_of_random_architectures_is_chosen(tmp_path, no_pictures):
    """By the number of parameters, a proxy that everyone can count."""
    folder = search(composed("search", *WORDS, f"runs={tmp_path}"))
    records = json.loads((folder / "selection.json").read_text())
    genotype, _ = load_genotype(str(folder))
    best = max(records, key=lambda record: record["parameters"])
    assert genotype.to_json() == best["genotype"]
    assert len({record["parameters"] for record in records}) > 1
    assert not (folder / "checkpoint.ckpt").exists()


@pytest.mark.parametrize("macro", ["cells", "broad"])
def test_the_first_candidate_is_the_random_genotype_of_the_seed(macro):
    config = composed("search", *WORDS, f"macro={macro}", "seed=3", "selection.candidates=2")
    long_tail = load_long_tail(config.data, config.imbalance)
    masks = edge_masks(config.space, config.macro.kinds)
    _, records = best_by_proxy(config, long_tail, masks)
    first = random_genotype(config.space.operations, 2, 3, masks, macro)
    assert records[0]["genotype"] == first.to_json()
    assert best_by_proxy(config, long_tail, masks)[1] == records
