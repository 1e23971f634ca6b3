"""Zero-shot scores of the candidate operations of a search space."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ltnas.models.cell import Cell
from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, prepared
from ltnas.proxies.synflow import flow_output
from ltnas.proxies.table import Proxy
from ltnas.proxies.untrained import NetworkSize, untrained_network
from ltnas.space.drawing import draw_genotype
from ltnas.space.edge_masks import Masks
from ltnas.space.genotype import Edge, Genotype, cell_genotype
from ltnas.space.layout import edges

Place = tuple[str, Edge]
"""Kind of cell, and an operation on an edge of it."""
Scores = dict[Place, float]
"""Score of each candidate operation; a larger one is better."""


@dataclass(frozen=True)
class ProbedSpace:
    """A search space, and the size of the networks that stand for it.

    Args:
        operations: names of the candidate operations.
        nodes: number of intermediate nodes of a cell.
        masks: operations that each edge has, by kind of cell.
        macro: name of the macro-network.
        size: size of the networks.
    """

    operations: tuple[str, ...]
    nodes: int
    masks: Masks
    macro: str
    size: NetworkSize

    @property
    def places(self) -> list[Place]:
        """All candidate operations of all edges, without `none`."""
        return [
            (kind, Edge(name, node, source))
            for kind, mask in self.masks.items()
            for (node, source), row in zip(edges(self.nodes), mask, strict=True)
            for name, there in zip(self.operations, row, strict=True)
            if there and name != "none"
        ]

    @property
    def everything(self) -> Genotype:
        """The genotype that has all candidate operations: nodes sum all that enters them."""
        cells = {
            kind: cell_genotype([edge for own, edge in self.places if own == kind])
            for kind in self.masks
        }
        return Genotype(cells, self.macro)


def leave_one_out(space: ProbedSpace, batch: ProxyBatch, proxy: Proxy, seed: int) -> Scores:
    """Return what the score of the network of all operations loses without each of them."""
    network = untrained_network(space.everything, space.size, seed)
    whole = proxy(network, batch, seed)
    scores = {}
    for kind, edge in space.places:
        with left_out(network, kind, edge):
            scores[kind, edge] = whole - proxy(network, batch, seed)
    return scores


def cells_of(network: nn.Module, kind: str) -> list[Cell]:
    """Return the cells of a kind."""
    found = [module for module in network.modules() if isinstance(module, Cell)]
    return [cell for cell in found if cell.kind == kind]


@contextmanager
def left_out(network: nn.Module, kind: str, edge: Edge) -> Iterator[None]:
    """Compute a network without one operation.

    Args:
        network: network of a genotype.
        kind: kind of the cells that lose the operation.
        edge: the operation.
    """
    cells = cells_of(network, kind)
    before = [(cell.edges, cell.operations, cell.droppable) for cell in cells]
    for cell in cells:
        rest = [number for number, own in enumerate(cell.edges) if own != edge]
        cell.operations = nn.ModuleList(cell.operations[number] for number in rest)
        cell.droppable = [cell.droppable[number] for number in rest]
        cell.edges = [cell.edges[number] for number in rest]
    try:
        yield
    finally:
        for cell, (edges_before, operations, droppable) in zip(cells, before, strict=True):
            cell.edges, cell.operations, cell.droppable = edges_before, operations, droppable


def marginal(
    space: ProbedSpace, batch: ProxyBatch, proxy: Proxy, seed: int, *, samples: int
) -> Scores:
    """Return the mean score of random architectures that have each operation.

    An operation that no architecture has gets the lowest score.

    Args:
        space: search space.
        batch: images.
        proxy: scores a network.
        seed: seed of the architectures and of their weights.
        samples: number of architectures.
    """
    generator = random.Random(seed)
    found: dict[Place, list[float]] = defaultdict(list)
    for number in range(samples):
        genotype = draw_genotype(space.operations, space.nodes, space.masks, generator, space.macro)
        score = proxy(untrained_network(genotype, space.size, seed * samples + number), batch, seed)
        for kind, cell in genotype.cells.items():
            for edge in cell.edges:
                found[kind, edge].append(score)
    means = {place: sum(values) / len(values) for place, values in found.items()}
    return {place: means.get(place, min(means.values())) for place in space.places}


def saliency(space: ProbedSpace, batch: ProxyBatch, seed: int) -> Scores:
    """Return |weight * dR/dweight| of the mixing weight of each operation, all of which are 1.

    R is the sum of the logits of SynFlow, an image of ones in a network of absolute weights without
    normalisations (Zhang et al. 2021, arXiv 2106.11542, with that R).
    """
    network = untrained_network(space.everything, space.size, seed)
    gates = {
        place: torch.ones((), dtype=torch.float64, requires_grad=True) for place in space.places
    }
    with prepared(network, seed) as probe:
        for kind in space.masks:
            for cell in cells_of(probe, kind):
                for edge, operation in zip(cell.edges, cell.operations, strict=True):
                    operation.register_forward_hook(_multiplied(gates[kind, edge]))
        slopes = gradients(flow_output(probe, batch.images), list(gates.values()))
    return {place: abs(float(slope)) for place, slope in zip(gates, slopes, strict=True)}


def _multiplied(gate: Tensor) -> Callable[..., Tensor]:
    def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return output * gate

    return hook
