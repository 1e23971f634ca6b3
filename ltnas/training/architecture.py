"""The architecture that a search network describes after an epoch."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ltnas import config as c
from ltnas.axes.selection import entropy, select
from ltnas.config.space import PARAMETRIC
from ltnas.diagnostics.discretisation import distance
from ltnas.models.search_network import SearchNetwork
from ltnas.space.edge_masks import Masks
from ltnas.space.genotype import Genotype


class Architecture(NamedTuple):
    """The architecture after an epoch.

    `mixing` holds the expected mixing weights by kind of cell, [edges, operations], on the CPU;
    `edges` the weights of normalised edges, [edges], and {} for plain ones; `genotype` is what the
    selection derives from both; `notes` say what a reader must know of it.
    """

    mixing: dict[str, Tensor]
    edges: dict[str, Tensor]
    genotype: Genotype
    notes: list[str]


def read_architecture(network: SearchNetwork, selection: c.Selection, seed: int) -> Architecture:
    """Return the present architecture of a search network.

    Args:
        network: search network.
        selection: value on the selection axis.
        seed: seed of the run, for a selection that draws.
    """
    supernet = network.supernet
    # Measuring architectures after each epoch would take longer than the epoch; the strongest
    # operations are a preview.
    genotype, notes = select(
        c.Top2() if selection.evaluates else selection,
        network.strengths(),
        supernet.operation_names,
        seed,
        masks=supernet.masks,
        macro=supernet.macro,
    )
    edges = {kind: values.detach().cpu() for kind, values in network.edge_weights().items()}
    return Architecture(network.expected_weights(), edges, genotype, notes)


def architecture_numbers(
    architecture: Architecture, operations: tuple[str, ...], nodes: int, masks: Masks
) -> dict[str, float | int]:
    """Return the columns of the history that describe an architecture.

    Args:
        architecture: architecture after an epoch.
        operations: candidate operations in the order of the mixing weights' columns.
        nodes: number of intermediate nodes of a cell.
        masks: operations that each edge has, by kind of cell.
    """
    mixing, _, genotype, _ = architecture
    return {
        **{f"entropy_{kind}": entropy(values) for kind, values in mixing.items()},
        "skip_connections": genotype.count("skip_connect"),
        "parametric_operations": genotype.count(*PARAMETRIC),
        "skip_share_normal": genotype.cell("normal").share("skip_connect"),
        "discretisation_distance": distance(mixing, genotype, operations, nodes, masks=masks),
    }
