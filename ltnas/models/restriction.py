"""A trained search network with only some of its candidate operations."""

from __future__ import annotations

from ltnas.models.search_network import SearchNetwork
from ltnas.models.widening import widened_tensors
from ltnas.space.edge_masks import Masks


def restricted(network: SearchNetwork, masks: Masks) -> SearchNetwork:
    """Return a network with the operations of the masks and copies of their weights.

    It computes by itself: normalisations of several processes become ordinary ones, and nothing is
    dropped after skip connections. It shares classifier, relaxation and architecture parameters
    with the network that it comes from.

    Args:
        network: trained search network, on the CPU.
        masks: operations that each edge has, by kind of cell. An edge may have none if the network
            is always handed its mixing weights.
    """
    # In the precision of the weights, so that none of them is rounded.
    precision = next(network.supernet.parameters()).dtype
    supernet = network.supernet.with_masks(masks).to(precision)
    tensors = network.supernet.state_dict()
    supernet.load_state_dict(widened_tensors(network.supernet, supernet, tensors))
    return SearchNetwork(
        supernet,
        network.classifier,
        network.relaxation,
        network.architecture,
        edge_parameters=network.edge_parameters,
        auxiliary_skip=network.auxiliary_skip,
    )
