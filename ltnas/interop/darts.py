"""Loading of discrete networks of the original DARTS code (quark0/darts).

The computation is the same. The names of tensors differ, and a few rules translate them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ltnas.interop.genotypes import any_genotype
from ltnas.interop.names import bare, official_name
from ltnas.interop.tensors import check_counts, filled
from ltnas.models.network import Network


def load_official_network(
    state_dict: Mapping[str, Tensor],
    genotype: object,
    channels: int,
    cells: int,
    num_classes: int,
    auxiliary: bool,
) -> Network:
    """Return the discrete network of a checkpoint, on the CPU, in training mode.

    The names of the stem decide if it is a network for CIFAR or for ImageNet.

    Args:
        state_dict: state dict of the original evaluation network; the dtype of its weights is
            kept.
        genotype: genotype of the cells: a `Genotype`; a published name, file or run folder; or
            the original code's genotype, an object, dict or tuple of normal, normal_concat,
            reduce and reduce_concat, each cell as pairs (operation, source), two for each node.
        channels: number of channels of the first cell (`C` in the original code).
        cells: number of cells (`layers` in the original code).
        num_classes: number of classes of the classifier.
        auxiliary: True if the checkpoint holds an auxiliary classifier.

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
    # Only the ImageNet network has two stems, `stem0` and `stem1`.
    imagenet = any(bare(name).startswith("stem0.") for name in state_dict)
    stem, official_stem = ("imagenet", "stem0") if imagenet else ("cifar", "stem")
    with torch.device("meta"):
        network = Network(
            cell_genotypes, channels, cells, num_classes, auxiliary=auxiliary, stem=stem
        )

    def official_names(name: str) -> list[str]:
        return [re.sub(r"^stem\.", f"{official_stem}.", official_name(name))]

    return filled(network, state_dict, settings, official_names)
