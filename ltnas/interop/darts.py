"""Loading of checkpoints of the original DARTS code (quark0/darts).

The computation is the same. The names of tensors differ, and a few rules translate them; the
supernet also stacks the weights of several edges that are separate tensors in the original.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ltnas.axes.relaxations import Softmax
from ltnas.config import OPERATIONS, require
from ltnas.interop.genotypes import any_genotype
from ltnas.interop.tensors import NODES, bare, filled
from ltnas.models.cell_design import CellDesign
from ltnas.models.network import Network
from ltnas.models.search_network import SearchNetwork, build_search_network


def load_official_supernet(
    state_dict: Mapping[str, Tensor],
    alphas_normal: Tensor,
    alphas_reduce: Tensor,
    channels: int,
    cells: int,
    num_classes: int,
) -> SearchNetwork:
    """Return the search network of a checkpoint: softmax weights, on the CPU, in training mode.

    Args:
        state_dict: state dict of the original search network; the dtype of its weights is kept.
        alphas_normal: architecture parameters of normal cells, [14, 8], operations in the order of
            `ltnas.config.OPERATIONS`; the original does not keep them in its state dict.
        alphas_reduce: architecture parameters of reduction cells, [14, 8].
        channels: number of channels of the first cell (`C` in the original code).
        cells: number of cells (`layers` in the original code).
        num_classes: number of classes of the classifier.

    Raises:
        UserError: the checkpoint does not fit; the message names the first key that does not.
    """
    settings = f"channels={channels}, cells={cells} and num_classes={num_classes}"
    _check_counts(channels, cells, num_classes)
    # On the meta device, which draws no initial weights: all of them are replaced.
    with torch.device("meta"):
        network = build_search_network(
            design=CellDesign(OPERATIONS, NODES),
            channels=channels,
            cells=cells,
            classes=num_classes,
            relaxation=Softmax(),
            initial_deviation=0.0,
        )
    alphas = {"normal": alphas_normal, "reduce": alphas_reduce}
    ours = {}
    for name, parameter in network.architecture_parameters().items():
        given, needed = tuple(alphas[name].shape), tuple(parameter.shape)
        require(
            given == needed,
            f"alphas_{name} has the shape {given}: give the {needed} tensor of a DARTS search",
        )
        ours[f"architecture.{name}"] = alphas[name].detach()
    return filled(network, state_dict, settings, ours=ours)


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
    _check_counts(channels, cells, num_classes)
    cell_genotypes = any_genotype(genotype)
    # Only the ImageNet network has two stems, `stem0` and `stem1`.
    imagenet = any(bare(name).startswith("stem0.") for name in state_dict)
    stem, official_stem = ("imagenet", "stem0") if imagenet else ("cifar", "stem")
    with torch.device("meta"):
        network = Network(
            cell_genotypes, channels, cells, num_classes, auxiliary=auxiliary, stem=stem
        )
    return filled(network, state_dict, settings, stem=official_stem)


def _check_counts(channels: int, cells: int, num_classes: int) -> None:
    """Raise a `UserError` if a count is not positive."""
    counts = (("channels", channels), ("cells", cells), ("num_classes", num_classes))
    for key, value in counts:
        require(value >= 1, f"{key}={value} must be 1 or more")
