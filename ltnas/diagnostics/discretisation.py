"""Distance between a supernet and the discrete network that its genotype describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ltnas.space.edge_masks import Masks
from ltnas.space.genotype import Genotype
from ltnas.space.layout import edges


def distance(
    mixing: Mapping[str, Tensor],
    genotype: Genotype,
    operations: Sequence[str],
    nodes: int,
    *,
    masks: Masks | None = None,
) -> float:
    """Return the mean absolute difference between mixing weights and the one-hot genotype.

    Args:
        mixing: mixing weights by kind of cell, each [edges, operations].
        genotype: genotype that was selected from the mixing weights.
        operations: names of the candidate operations, in the order of the columns.
        nodes: number of intermediate nodes of a cell.
        masks: operations that each edge has, which alone are compared; None: all.

    Returns:
        A value in [0, 1] for weights in [0, 1]; 0 if the weights are exactly the genotype.
    """
    differences = []
    for kind, weights in mixing.items():
        one_hot = torch.zeros_like(weights)  # [edges, operations]
        for edge in genotype.cell(kind).edges:
            row = edges(nodes).index((edge.node, edge.source))
            one_hot[row, operations.index(edge.operation)] = 1
        difference = (weights - one_hot).abs()
        existing = difference if masks is None else difference[torch.tensor(masks[kind])]
        differences.append(existing.mean())
    return float(torch.stack(differences).mean())
