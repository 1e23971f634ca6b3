"""Architectures that are drawn at random, and changed at random in one place."""

import random
from collections import Counter

from ltnas.config import OPERATIONS
from ltnas.space.drawing import draw_genotype, mutated_genotype, random_genotype
from ltnas.space.edge_masks import full_mask
from ltnas.space.layout import edges

FULL = {"normal": full_mask(4, 8), "reduce": full_mask(4, 8)}


def test_random_genotype_is_a_function_of_the_seed():
    assert random_genotype(OPERATIONS, 4, 3) == random_genotype(OPERATIONS, 4, 3)
    assert len({random_genotype(OPERATIONS, 4, seed) for seed in range(50)}) == 50


def test_random_genotype_is_uniform():
    drawn = [random_genotype(OPERATIONS, 4, seed) for seed in range(400)]
    operations = Counter(edge.operation for g in drawn for edge in g.cell("normal").edges)
    assert set(operations) == set(OPERATIONS) - {"none"}
    expected = 400 * 8 / 7
    chi_square = sum((n - expected) ** 2 / expected for n in operations.values())
    assert chi_square < 22.5  # 6 degrees of freedom, p = 0.001
    sources = Counter(
        edge.source for g in drawn for edge in g.cell("normal").edges if edge.node == 5
    )
    assert sum((n - 160) ** 2 / 160 for n in sources.values()) < 18.5  # 4 degrees, p = 0.001
    for genotype in drawn[:20]:
        for node in (2, 3, 4, 5):
            incoming = [edge.source for edge in genotype.cell("reduce").edges if edge.node == node]
            assert len(set(incoming)) == 2
            assert max(incoming) < node


def test_a_random_genotype_is_uniform_over_the_operations_of_each_edge():
    only_two = ((*[False] * 4, True, True, False, False),) * 14
    masks = {"normal": only_two, "reduce": full_mask(4, 8)}
    drawn = [random_genotype(OPERATIONS, 4, seed, masks) for seed in range(200)]
    counts = Counter(edge.operation for g in drawn for edge in g.cell("normal").edges)
    assert set(counts) == {"sep_conv_3x3", "sep_conv_5x5"}
    assert abs(counts["sep_conv_3x3"] - 800) < 66  # 3.3 standard deviations of 1600 tosses
    others = {edge.operation for g in drawn for edge in g.cell("reduce").edges}
    assert others == set(OPERATIONS) - {"none"}


def changed_edges(before, after):
    """Return the edges of one genotype that the other lacks, by kind of cell."""
    return {
        kind: set(before.cell(kind).edges) - set(after.cell(kind).edges)
        for kind in ("normal", "reduce")
    }


def test_a_mutation_changes_the_source_or_the_operation_of_one_edge():
    generator, counts = random.Random(0), Counter()
    genotype = draw_genotype(OPERATIONS, 4, FULL, generator)
    for _ in range(600):
        after = mutated_genotype(genotype, OPERATIONS, 4, FULL, generator)
        old, new = changed_edges(genotype, after), changed_edges(after, genotype)
        (kind,) = (kind for kind, found in old.items() if found)
        (before,), (now,) = old[kind], new[kind]
        assert now.node == before.node
        assert (now.source != before.source) != (now.operation != before.operation)
        counts["source" if now.source != before.source else "operation"] += 1
        genotype = after
        for kind in ("normal", "reduce"):
            pairs = [(edge.node, edge.source) for edge in genotype.cell(kind).edges]
            assert pairs == sorted(set(pairs))
            assert [node for node, _ in pairs] == [2, 2, 3, 3, 4, 4, 5, 5]
    # Node 2 has two sources, so that a quarter of the mutations can only change the operation:
    # 3/8 of 600 change the source; 3.3 standard deviations are 39.
    assert abs(counts["source"] - 225) < 39


def test_a_mutation_stays_within_the_masks():
    generator = random.Random(1)
    # Edges from an even state have one operation, others have two.
    one, two = (3,), (4, 5)
    rows = tuple(
        tuple(column in (two if source % 2 else one) for column in range(8))
        for _, source in edges(4)
    )
    masks = {"normal": rows, "reduce": full_mask(4, 8)}
    genotype = draw_genotype(OPERATIONS, 4, masks, generator)
    for _ in range(300):
        genotype = mutated_genotype(genotype, OPERATIONS, 4, masks, generator)
        for operation, _, source in genotype.cell("normal").edges:
            assert OPERATIONS.index(operation) in (two if source % 2 else one)


def test_a_genotype_without_alternatives_stays_as_it_is():
    only_skips = ((False, False, False, True, False, False, False, False),) * 2
    masks = {"normal": only_skips, "reduce": only_skips}
    genotype = draw_genotype(OPERATIONS, 1, masks, random.Random(0))
    assert mutated_genotype(genotype, OPERATIONS, 1, masks, random.Random(0)) == genotype
