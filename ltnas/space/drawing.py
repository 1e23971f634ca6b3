"""Architectures of a search space that are drawn at random, or changed at random in one place."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ltnas.config import MACROS
from ltnas.space.edge_masks import Mask, Masks, full_mask
from ltnas.space.genotype import CellGenotype, Edge, Genotype, cell_genotype
from ltnas.space.layout import edges


def edge_operations(
    operations: Sequence[str], nodes: int, mask: Mask
) -> dict[tuple[int, int], list[str]]:
    """Return the operations besides `none` that each edge (node, source) of a cell has.

    Args:
        operations: names of the candidate operations.
        nodes: number of intermediate nodes of the cell.
        mask: operations that each edge has.
    """
    return {
        edge: [
            name for name, there in zip(operations, row, strict=True) if there and name != "none"
        ]
        for edge, row in zip(edges(nodes), mask, strict=True)
    }


def draw_genotype(
    operations: Sequence[str],
    nodes: int,
    masks: Masks,
    generator: random.Random,
    macro: str = "cells",
) -> Genotype:
    """Draw two edges into each node, and on each an operation that it has, uniformly.

    Args:
        operations: names of the candidate operations.
        nodes: number of intermediate nodes of a cell.
        masks: operations that each edge has, by kind of cell.
        generator: draws.
        macro: name of the macro-network.
    """

    def draw(mask: Mask) -> CellGenotype:
        names = edge_operations(operations, nodes, mask)
        return cell_genotype(
            [
                Edge(generator.choice(names[node, source]), node, source)
                for node in range(2, 2 + nodes)
                for source in sorted(generator.sample(range(node), 2))
            ]
        )

    # Normal cell first: the order of draws is part of what a seed means.
    return Genotype({kind: draw(mask) for kind, mask in masks.items()}, macro)


def random_genotype(
    operations: Sequence[str],
    nodes: int,
    seed: int,
    masks: Masks | None = None,
    macro: str = "cells",
) -> Genotype:
    """Return the first genotype that `draw_genotype` draws with a seed.

    Args:
        operations: names of the candidate operations.
        nodes: number of intermediate nodes of a cell.
        seed: seed of the draw.
        masks: operations that each edge has, by kind of cell; None: all.
        macro: name of the macro-network.
    """
    masks = masks or dict.fromkeys(MACROS[macro].kinds, full_mask(nodes, len(operations)))
    return draw_genotype(operations, nodes, masks, random.Random(seed), macro)


def mutated_genotype(
    genotype: Genotype,
    operations: Sequence[str],
    nodes: int,
    masks: Masks,
    generator: random.Random,
) -> Genotype:
    """Return a genotype that differs in one edge: in its source or in its operation.

    The mutations of Real et al. 2019 (section 3.1): a cell, a node, one of its edges, and which of
    the two changes are drawn uniformly. An edge to a source that lacks its operation draws another.
    Where there is no other source the operation changes, and the other way round.

    Args:
        genotype: genotype with two edges into each node.
        operations: names of the candidate operations.
        nodes: number of intermediate nodes of a cell.
        masks: operations that each edge has, by kind of cell.
        generator: draws.
    """
    kind = generator.choice(list(genotype.cells))
    cell = genotype.cell(kind)
    names = edge_operations(operations, nodes, masks[kind])
    position = generator.randrange(len(cell.edges))
    old = cell.edges[position]
    used = {edge.source for edge in cell.edges if edge.node == old.node}
    others = [name for name in names[old.node, old.source] if name != old.operation]
    sources = [source for source in range(old.node) if source not in used]
    if sources and (not others or generator.random() < 0.5):
        source = generator.choice(sources)
        possible = names[old.node, source]
        kept = old.operation in possible
        new = Edge(old.operation if kept else generator.choice(possible), old.node, source)
    elif others:
        new = Edge(generator.choice(others), old.node, old.source)
    else:
        return genotype  # a node with a single operation on its only two edges
    changed = [*cell.edges[:position], new, *cell.edges[position + 1 :]]
    # By source within a node, as cells are drawn, so that equal cells are equal genotypes.
    ordered = cell_genotype(sorted(changed, key=lambda edge: (edge.node, edge.source)))
    return Genotype({**genotype.cells, kind: ordered}, genotype.macro)
