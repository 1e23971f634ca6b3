"""Loading of search networks of published code: DARTS and its successors, and BNAS-v2.

The computation is the same. The names of tensors differ, and a few rules translate them; the
supernet also stacks the weights of several edges that are separate tensors in published code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ltnas import config as c
from ltnas.axes.auxiliary_skip import AuxiliarySkip
from ltnas.axes.build import build_relaxation
from ltnas.axes.relaxations import Relaxation
from ltnas.config import require, require_choice
from ltnas.diagnostics.ranks import ranks_of_cells
from ltnas.interop.checkpoints import unwrapped
from ltnas.interop.names import bare, official_name
from ltnas.interop.schemes import NODES, SCHEMES, OfficialSupernet
from ltnas.interop.stable_ranks import build_rank_relaxation, image_side, without_estimates
from ltnas.interop.tensors import check_counts, filled
from ltnas.models.cell_design import CellDesign
from ltnas.models.search_network import SearchNetwork, build_search_network
from ltnas.models.stacking import plain_names
from ltnas.space.layout import edges

EDGES = len(edges(NODES))


def load_official_supernet(
    state_dict: Mapping[str, Any],
    alphas_normal: Tensor | None,
    alphas_reduce: Tensor | None,
    channels: int,
    cells: int,
    num_classes: int,
    *,
    scheme: str = "darts",
    partial_channels: int | None = None,
    betas_normal: Tensor | None = None,
    betas_reduce: Tensor | None = None,
    auxiliary_strength: float = 1.0,
) -> SearchNetwork:
    """Return the search network of a checkpoint, on the CPU, in training mode.

    The checkpoint is one of a search on CIFAR by quark0/darts, yuhuixu1993/PC-DARTS,
    Meituan-AutoML/DARTS- (space `s5`), xiangning-chen/DrNAS (before operations are dropped) or
    mtaecchhi/msrdarts and zixiangding/BNASv2, whose enhancement cells have the name of reduction
    cells.

    In training the mixing weights of DrNAS are samples, which `network.relaxation.draw` draws anew,
    and in evaluation they are means, where the original draws samples, too. Other mixing weights
    can be given: `network(images, mixing)`, with a tensor [14, 7] for `normal` and for `reduce`.

    Mixing weights of MSR-DARTS are measured on the loaded weights, as its code does at the start of
    an epoch: each cell has its own, by the ranks of its 1x1 convolutions times pixels. Others can
    be given, [14, 4] of a kind of cell or [cells, 14, 4]. Convolutions are divided by their exact
    largest singular values, in evaluation as well. The original estimates these values in training
    by power iterations, of depthwise convolutions with zero padding and from random vectors, and a
    checkpoint that it loads evaluates without them. As normalisations follow, only their eps lets
    such a factor through: logits of images of 32 x 32 pixels differ by less than 0.1 %.

    Args:
        state_dict: state dict of the original search network, or a checkpoint that holds one (see
            `ltnas.interop.checkpoints`); the dtype of its weights is kept.
        alphas_normal: architecture parameters of normal cells, [14, 8], operations in the order of
            `ltnas.config.OPERATIONS`; of DrNAS [14, 7], without `none`. The original does not keep
            them in its state dict. None for MSR-DARTS, which has no parameters.
        alphas_reduce: architecture parameters of reduction cells, as those of normal cells.
        channels: number of channels of the first cell (`C` in the original code).
        cells: number of cells (`layers` in the original code); 2 for BNAS-v2.
        num_classes: number of classes of the classifier.
        scheme: `darts`, `pc_darts`, `darts_minus`, `drnas`, `msr_darts`, or for BNAS-v2 `b_darts`
            (with confident learning rates) or `b_pc_darts` (with partial channels).
        partial_channels: K of PC-DARTS and BNAS-v2 (None: 4) and DrNAS (None: 6, its first stage).
        betas_normal: edge parameters of normal cells, [14], before the softmax, of PC-DARTS and of
            BNAS-v2 with partial channels.
        betas_reduce: edge parameters of reduction cells, [14], as those of normal cells.
        auxiliary_strength: weight that the auxiliary skip connections of DARTS- have now.

    Raises:
        UserError: the checkpoint does not fit; the message names the first key that does not.
    """
    require_choice("scheme", scheme, tuple(SCHEMES))
    check_counts(channels, cells, num_classes)
    official = SCHEMES[scheme]
    require(
        official.cells in (None, cells),
        f"cells={cells}, but search networks of {official.title} have {official.cells} convolution "
        f"cells: give cells={official.cells}",
    )
    design = official.design(channels, partial_channels)
    alphas = {"normal": alphas_normal, "reduce": alphas_reduce}
    betas = {"normal": betas_normal, "reduce": betas_reduce}
    _check_parameters(official, scheme, alphas, betas)
    auxiliary_skip = _auxiliary_skip(official, auxiliary_strength)
    state_dict = unwrapped(state_dict)
    _check_stem(state_dict)
    network = _network(
        official,
        design,
        channels=channels,
        cells=cells,
        classes=num_classes,
        auxiliary_skip=auxiliary_skip,
    )

    def official_names(name: str) -> list[str]:
        plain = plain_names(name, design.candidates, NODES)
        return [official_name(part, official.rules) for part in plain]

    share = "" if design.partial_channels == 1 else f"partial_channels={design.partial_channels}, "
    settings = f"channels={channels}, {share}cells={cells} and num_classes={num_classes}"
    parameters = _architecture(official.macro.kinds, alphas, betas)
    if official.spectral:
        side, state_dict = image_side(state_dict, channels, cells), without_estimates(state_dict)
        # Replaced by measurements of the weights, once these are there.
        ranks = network.relaxation.state_dict(prefix="relaxation.")
        parameters |= {name: torch.zeros_like(value, device="cpu") for name, value in ranks.items()}
    filled(network, state_dict, settings, official_names, parameters)
    # Buffers that no checkpoint has: the weight of the auxiliary skip, the noise of samples, ranks.
    network.set_epoch(0, 1)
    network.relaxation.draw(torch.Generator().manual_seed(0))
    if official.spectral:
        network.relaxation.set_measured(ranks_of_cells(network.supernet, side))
    return network


def _network(
    official: OfficialSupernet,
    design: CellDesign,
    *,
    channels: int,
    cells: int,
    classes: int,
    auxiliary_skip: AuxiliarySkip | None,
) -> SearchNetwork:
    """Return a search network without weights, on the meta device."""
    # The meta device draws no initial weights: all of them are replaced.
    with torch.device("meta"):
        return build_search_network(
            design=design,
            channels=channels,
            cells=cells,
            classes=classes,
            relaxation=_relaxation(official, cells),
            initial_deviation=0.0,
            edge_deviation=0.0 if official.edge_parameters else None,
            auxiliary_skip=auxiliary_skip,
            macro=official.macro,
        )


def _relaxation(official: OfficialSupernet, cells: int) -> Relaxation:
    """Return how the mixing weights of a published search arise."""
    operations = len(official.operations)
    match official.relaxation:
        case c.StableRank(temperature=temperature):
            return build_rank_relaxation(cells, EDGES, operations, temperature)
        case other:
            return build_relaxation(other, EDGES, operations, kinds=official.macro.kinds)


def _architecture(
    kinds: Sequence[str],
    alphas: Mapping[str, Tensor | None],
    betas: Mapping[str, Tensor | None],
) -> dict[str, Tensor]:
    """Return the parameters of the architecture by their names in a search network.

    Args:
        kinds: kinds of cell, in the order of the parameters.
        alphas: parameters of operations by their names in published code; None: there are none.
        betas: parameters of edges by their names in published code; None: there are none.
    """
    named = {}
    for group, given in (("architecture", alphas), ("edge_parameters", betas)):
        for kind, values in zip(kinds, given.values(), strict=True):
            if values is not None:
                named[f"{group}.{kind}"] = values.detach()
    return named


def _check_parameters(
    official: OfficialSupernet,
    scheme: str,
    alphas: Mapping[str, Tensor | None],
    betas: Mapping[str, Tensor | None],
) -> None:
    """Raise a `UserError` if a parameter of the architecture is missing or has another shape."""
    for kind, values in alphas.items():
        _check_alphas(official, scheme, f"alphas_{kind}", values)
    for kind, beta in betas.items():
        if beta is None:
            require(
                not official.edge_parameters,
                f"scheme={scheme} needs betas_{kind}, the edge parameters that the original does "
                f"not keep in its state dict: give the ({EDGES},) tensor of the search",
            )
            continue
        require(
            official.edge_parameters,
            f"betas_{kind} is given, but {official.title} has no edge parameters: omit it, or add "
            "scheme='pc_darts'",
        )
        _check_shape(official, f"betas_{kind}", beta, (EDGES,))


def _check_alphas(
    official: OfficialSupernet, scheme: str, name: str, values: Tensor | None
) -> None:
    """Raise a `UserError` if parameters of operations are missing, or do not fit."""
    if official.spectral:
        require(
            values is None,
            f"{name} is given, but {official.title} has no architecture parameters: give None, or "
            "name the scheme of the checkpoint",
        )
        return
    require(
        values is not None,
        f"scheme={scheme} needs {name}, the architecture parameters that the original does not "
        "keep in its state dict: give the tensor of the search",
    )
    if values is not None:
        _check_shape(official, name, values, (EDGES, len(official.operations)))


def _check_shape(
    official: OfficialSupernet, name: str, values: Tensor, needed: tuple[int, ...]
) -> None:
    """Raise a `UserError` if a parameter has another shape than in a published search."""
    given = tuple(values.shape)
    require(
        given == needed,
        f"{name} has the shape {given}: give the {needed} tensor of a {official.title} search",
    )


def _auxiliary_skip(official: OfficialSupernet, strength: float) -> AuxiliarySkip | None:
    """Return the weight of the auxiliary skip connections of DARTS-, None elsewhere."""
    require(strength >= 0, f"auxiliary_strength={strength} must be 0 or more")
    if official.auxiliary_skip:
        return AuxiliarySkip(c.ConstantSkip(strength=strength))
    require(
        strength == 1.0,
        f"auxiliary_strength={strength}, but {official.title} has no auxiliary skip connections: "
        "omit it, or add scheme='darts_minus'",
    )
    return None


def _check_stem(state_dict: Mapping[str, Tensor]) -> None:
    """Raise a `UserError` if the checkpoint has the two stems of a search on ImageNet."""
    require(
        not any(bare(name).startswith("stem0.") for name in state_dict),
        "the checkpoint has stem0, that of a search on ImageNet: only search networks for CIFAR, "
        "with a single stem, can be loaded",
    )
