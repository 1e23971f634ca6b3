"""Discrete networks with initial weights, which zero-shot proxies score."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ltnas.models.branches import BranchedModel
from ltnas.models.build import build_searched_network
from ltnas.space.genotype import Genotype


@dataclass(frozen=True, kw_only=True)
class NetworkSize:
    """Size of the networks of all genotypes that are compared.

    Args:
        channels: channels of the first cell.
        cells: number of cells; of convolution cells in a broad network.
        enhancement_cells: number of enhancement cells of a broad network; others have none.
        classes: number of classes.
        stem: `cifar` or `imagenet`.
    """

    channels: int
    cells: int
    enhancement_cells: int
    classes: int
    stem: str = "cifar"


def untrained_network(genotype: Genotype, size: NetworkSize, seed: int) -> BranchedModel:
    """Build the network of a genotype with weights drawn from a seed, on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_searched_network(
            genotype,
            channels=size.channels,
            cells=size.cells,
            enhancement_cells=size.enhancement_cells,
            classes=size.classes,
            auxiliary=False,
            stem=size.stem,
        )
