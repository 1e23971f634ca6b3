"""Zero-shot scores of the candidate operations of a search space."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ltnas.models.branches import BranchedModel
from ltnas.models.build import build_searched_network
from ltnas.models.cell import Cell
from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, prepared
from ltnas.proxies.synflow import remove_normalisations
from ltnas.proxies.table import Proxy
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
        channels: channels of the first cell.
        cells: number of cells.
        classes: number of classes.
        macro: name of the macro-network.
    """

    operations: tuple[str, ...]
    nodes: int
    masks: Masks
    channels: int
    cells: int
    classes: int
    macro: str

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

    def network(self, genotype: Genotype, seed: int) -> BranchedModel:
        """Return a network of a genotype with initial weights drawn from a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build_searched_network(
                genotype,
                channels=self.channels,
                cells=self.cells,
                enhancement_cells=1,
                classes=self.classes,
                auxiliary=False,
                stem="cifar",
            )


def leave_one_out(space: ProbedSpace, batch: ProxyBatch, proxy: Proxy, seed: int) -> Scores:
    """Return what the score of the network of all operations loses without each of them."""
    network = space.network(space.everything, seed)
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


class left_out:
    """Context in which a network computes without one operation.

    Args:
        network: network of a genotype.
        kind: kind of the cells that lose the operation.
        edge: the operation.
    """

    def __init__(self, network: nn.Module, kind: str, edge: Edge) -> None:
        self.cells = cells_of(network, kind)
        self.edge = edge

    def __enter__(self) -> None:
        self.kept = [(cell.edges, cell.operations, cell.droppable) for cell in self.cells]
        for cell in self.cells:
            rest = [n for n, edge in enumerate(cell.edges) if edge != self.edge]
            cell.operations = nn.ModuleList(cell.operations[n] for n in rest)
            cell.droppable = [cell.droppable[n] for n in rest]
            cell.edges = [cell.edges[n] for n in rest]

    def __exit__(self, *error: object) -> None:
        for cell, kept in zip(self.cells, self.kept, strict=True):
            cell.edges, cell.operations, cell.droppable = kept


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
        score = proxy(space.network(genotype, seed * samples + number), batch, seed)
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
    network = space.network(space.everything, seed)
    flows: dict[Place, Tensor] = {}
    with prepared(network, seed) as probe:
        probe.double()
        remove_normalisations(probe)
        with torch.no_grad():
            for parameter in probe.parameters():
                parameter.abs_()
        gates = {
            place: torch.ones((), dtype=torch.float64, requires_grad=True) for place in space.places
        }
        for kind in space.masks:
            for cell in cells_of(probe, kind):
                for edge, operation in zip(cell.edges, cell.operations, strict=True):
                    operation.register_forward_hook(_multiplied(gates[kind, edge]))
        ones = torch.ones_like(batch.images[:1], dtype=torch.float64)
        slopes = gradients(probe(ones).sum(), list(gates.values()))
        flows = dict(zip(gates, slopes, strict=True))
    return {place: abs(float(flow)) for place, flow in flows.items()}


def _multiplied(gate: Tensor) -> Callable[..., Tensor]:
    def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return output * gate

    return hook
