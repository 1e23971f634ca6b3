"""Loading of discrete networks of the original code of DARTS and of BNAS-v2.

The computation is the same. The names of tensors differ, and a few rules translate them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ltnas.config import require
from ltnas.interop.checkpoints import unwrapped
from ltnas.interop.genotypes import any_genotype
from ltnas.interop.names import DARTS, bare, broad_rules, official_name
from ltnas.interop.tensors import check_counts, filled
from ltnas.models.broad_network import BroadNetwork
from ltnas.models.build import build_searched_network
from ltnas.models.network import Network


def load_official_network(
    state_dict: Mapping[str, Any],
    genotype: object,
    channels: int,
    cells: int,
    num_classes: int,
    auxiliary: bool,
    *,
    enhancement_cells: int = 2,
) -> Network | BroadNetwork:
    """Return the discrete network of a checkpoint, on the CPU, in training mode.

    The names of the stem decide if it is a network for CIFAR or for ImageNet.

    Args:
        state_dict: state dict of the original evaluation network (quark0/darts, or zixiangding/
            BNASv2 for a broad genotype), or a checkpoint that holds one (see
            `ltnas.interop.checkpoints`); the dtype of its weights is kept.
        genotype: genotype of the cells: a `Genotype`; a published name, file or run folder; or
            the original code's genotype, an object, dict or tuple of normal, normal_concat,
            reduce and reduce_concat, each cell as pairs (operation, source), two for each node.
            One of BNAS-v2 must be a `Genotype`, a published name, a file or a run folder.
        channels: number of channels of the first cell (`C` in the original code).
        cells: number of cells (`layers` in the original code), for BNAS-v2 of convolution cells.
        num_classes: number of classes of the classifier.
        auxiliary: True if the checkpoint holds an auxiliary classifier.
        enhancement_cells: number of enhancement cells of BNAS-v2 (`en_layers` in the original
            code).

    Raises:
        UserError: the checkpoint or the genotype does not fit; the message names the first key
            that does not.
    """
    settings = (
        f"channels={channels}, cells={cells}, num_classes={num_classes}, auxiliary={auxiliary} "
        "and the genotype"
    )
    check_counts(channels, cells, num_classes)
    cell_genotypes = any_genotype(genotype)
    state_dict = unwrapped(state_dict)
    _check_auxiliary(state_dict, auxiliary)
    # Only the ImageNet network has two stems, `stem0` and `stem1`.
    imagenet = any(bare(name).startswith("stem0.") for name in state_dict)
    stem, official_stem = ("imagenet", "stem0") if imagenet else ("cifar", "stem")
    with torch.device("meta"):
        network = build_searched_network(
            cell_genotypes,
            channels=channels,
            cells=cells,
            enhancement_cells=enhancement_cells,
            classes=num_classes,
            auxiliary=auxiliary,
            stem=stem,
        )
    broad = cell_genotypes.macro == "broad"
    rules = broad_rules(cells, enhancement_cells) if broad else DARTS

    def official_names(name: str) -> list[str]:
        return [re.sub(r"^stem\.", f"{official_stem}.", official_name(name, rules))]

    return filled(network, state_dict, settings, official_names)


def _check_auxiliary(state_dict: Mapping[str, Tensor], auxiliary: bool) -> None:
    """Raise a `UserError` if the checkpoint lacks an auxiliary classifier, or has one too many."""
    there = any(bare(name).startswith("auxiliary_head.") for name in state_dict)
    require(
        there == auxiliary,
        f"auxiliary={auxiliary}, but the checkpoint has {'an' if there else 'no'} auxiliary_head: "
        f"give auxiliary={there}",
    )
