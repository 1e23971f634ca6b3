"""Loading of checkpoints of the original DARTS code (quark0/darts).

The computation is the same. The names of tensors differ, and a few rules translate them; the
supernet also stacks the weights of several edges that are separate tensors in the original.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ltnas.axes.relaxations import Softmax
from ltnas.config import OPERATIONS, require
from ltnas.errors import UserError
from ltnas.models.cell_design import CellDesign
from ltnas.models.network import Network
from ltnas.models.search_network import SearchNetwork, build_search_network
from ltnas.models.sources import MixingWeights
from ltnas.models.stacking import plain_names, plain_shape, stack
from ltnas.space.genotype import CellGenotype, Genotype, load_genotype, parse_genotype
from ltnas.space.layout import KINDS

Model = TypeVar("Model", Network, SearchNetwork)

NODES = 4
FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
"""Fields of the original code's genotype, in its order."""
COUNTER = "num_batches_tracked"
"""Buffer of batch normalisation that checkpoints older than PyTorch 0.4.1 lack; no output depends
on it."""

RULES = (
    (r"^(cells\.\d+\.)mixed\.(\d+)\.operations\.", r"\1_ops.\2._ops."),
    (r"^(cells\.\d+\.)operations\.", r"\1_ops."),
    # The original keeps the layers of an operation in its attribute `op`. The exception is pooling
    # with normalisation, a plain Sequential, where the normalisation has the number 1; no other
    # operation has a normalisation with that number.
    (
        r"^(cells\.\d+\.(?:preprocess[01]|_ops\.\d+(?:\._ops\.\d+)?)\.)"
        r"(?=\d+\.)(?!1\.(?:running_mean|running_var|num_batches_tracked)$)",
        r"\1op.",
    ),
)
"""Pattern in a name of this package, and its replacement in the original code."""


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
    return _filled(network, state_dict, settings, ours=ours)


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
    cell_genotypes = _genotype(genotype)
    # Only the ImageNet network has two stems, `stem0` and `stem1`.
    imagenet = any(_bare(name).startswith("stem0.") for name in state_dict)
    stem, official_stem = ("imagenet", "stem0") if imagenet else ("cifar", "stem")
    with torch.device("meta"):
        network = Network(
            cell_genotypes, channels, cells, num_classes, auxiliary=auxiliary, stem=stem
        )
    return _filled(network, state_dict, settings, stem=official_stem)


def _check_counts(channels: int, cells: int, num_classes: int) -> None:
    """Raise a `UserError` if a count is not positive."""
    counts = (("channels", channels), ("cells", cells), ("num_classes", num_classes))
    for key, value in counts:
        require(value >= 1, f"{key}={value} must be 1 or more")


# --- weights ------------------------------------------------------------------------------------


def _bare(name: str) -> str:
    """Return the name of a tensor without the prefix that DataParallel adds."""
    return name.removeprefix("module.")


def _official_name(name: str, stem: str) -> str:
    """Return the original code's name of a tensor of this package.

    Args:
        name: name of the tensor in this package.
        stem: name of the first stem in the original code.
    """
    for pattern, replacement in RULES:
        name = re.sub(pattern, replacement, name)
    return re.sub(r"^stem\.", f"{stem}.", name)


def _filled(
    model: Model,
    state_dict: Mapping[str, Tensor],
    settings: str,
    ours: Mapping[str, Tensor] | None = None,
    stem: str = "stem",
) -> Model:
    """Fill a model with the tensors of a checkpoint, and return it.

    Args:
        model: model on the meta device.
        state_dict: tensors of the checkpoint by their names in the original code.
        settings: arguments that the model was built with, as text for messages.
        ours: tensors that the checkpoint does not hold, by their names in this package.
        stem: name of the first stem in the original code.

    Raises:
        UserError: a name or a shape does not fit.
    """
    tensors = dict(ours or {})
    theirs = {_bare(name): tensor for name, tensor in state_dict.items()}
    # Names and shapes that the checkpoint must have, from those of the model.
    shapes = {name: t.shape for name, t in model.state_dict().items() if name not in tensors}
    names = {
        name: [_official_name(plain, stem) for plain in plain_names(name, OPERATIONS, NODES)]
        for name in shapes
    }
    needed = {
        official: plain_shape(name, shapes[name], len(parts))
        for name, parts in names.items()
        for official in parts
    }
    # Fill in the counters of old checkpoints, check everything, then stack and load.
    for official in needed:
        if official.endswith(COUNTER):
            theirs.setdefault(official, torch.tensor(0))
    _check_fit(theirs, needed, settings)
    _check_pools(theirs, names)
    tensors |= stack(theirs, names)
    # The dtype of the checkpoint, so that float64 weights stay exact.
    model.to_empty(device="cpu").to(theirs["classifier.weight"].dtype)
    model.load_state_dict(tensors)
    # Buffers that no checkpoint has, and that `to_empty` leaves uninitialised.
    model.set_drop_path(0.0)
    for module in model.modules():
        if isinstance(module, MixingWeights):
            module.fill()
    return model


def _check_pools(theirs: Mapping[str, Tensor], names: Mapping[str, Sequence[str]]) -> None:
    """Raise a `UserError` if statistics that should be equal differ.

    The supernet pools each state once, whereas the original pools it once for each edge that
    starts at it, and keeps running statistics for each of these edges.
    """
    for first, *others in names.values():
        for other in others if re.search(r"_ops\.\d+\.1\.running", first) else []:
            require(
                torch.allclose(theirs[first], theirs[other], rtol=1e-3),
                f"{other} differs from {first}, although both belong to the same pooling of the "
                "same state: give the checkpoint of a single search",
            )


def _check_fit(
    theirs: Mapping[str, Tensor], needed: Mapping[str, torch.Size], settings: str
) -> None:
    """Raise a `UserError` at the first name or shape in a checkpoint that does not fit.

    Args:
        theirs: tensors of the checkpoint by their names.
        needed: names and shapes of the tensors that the model needs.
        settings: arguments that the model was built with, as text for messages.
    """
    cure = f"{settings} must be those that it was created with"
    for name in needed:
        require(name in theirs, f"the checkpoint has no {name}: {cure}")
    for name in theirs:
        require(
            name in needed, f"the checkpoint has {name}, which the network does not have: {cure}"
        )
    for name, shape in needed.items():
        given = tuple(theirs[name].shape)
        require(
            given == tuple(shape),
            f"{name} has the shape {given} in the checkpoint and {tuple(shape)} in the network: "
            f"{cure}",
        )


# --- genotypes ----------------------------------------------------------------------------------


def _genotype(genotype: object) -> Genotype:
    """Convert any form of a genotype, with edges in the order in which the original builds them."""
    if isinstance(genotype, str | Path):
        genotype = load_genotype(str(genotype))[0]
    if not isinstance(genotype, Genotype):
        genotype = _parse_official(genotype)
    return Genotype(*(_by_node(genotype.cell(kind)) for kind in KINDS))


def _by_node(cell: CellGenotype) -> CellGenotype:
    """Sort the edges of a cell by their nodes; the order of the edges into a node is kept."""
    return CellGenotype(tuple(sorted(cell.edges, key=lambda edge: edge.node)), cell.concat)


def _parse_official(genotype: object) -> Genotype:
    """Convert a genotype of the original code."""
    fields = _official_fields(genotype)
    data = {
        kind: {"edges": _official_edges(fields[kind]), "concat": list(fields[f"{kind}_concat"])}
        for kind in KINDS
    }
    return parse_genotype(data, "genotype")


def _official_fields(genotype: object) -> dict[str, Any]:
    """Return the fields of a genotype that is an object, a dict or a plain tuple.

    Raises:
        UserError: a field is missing or is not a list, tuple or range.
    """
    fields: Mapping[str, Any]
    if isinstance(genotype, Mapping):
        fields = genotype
    elif type(genotype) is tuple:
        fields = dict(zip(FIELDS, genotype, strict=False))
    else:
        fields = {field: getattr(genotype, field, None) for field in FIELDS}
    for field in FIELDS:
        require(
            isinstance(fields.get(field), list | tuple | range),
            f"genotype has no {field}: give a published name, a file, a Genotype, or an "
            f"original genotype with {', '.join(FIELDS)}",
        )
    return dict(fields)


def _official_edges(pairs: Sequence[Any]) -> list[list[Any]]:
    """Convert pairs (operation, source), two for each node from 2 on, to [operation, node, source].

    Raises:
        UserError: an entry is not a pair.
    """
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise UserError(f"genotype: {pair!r} is not a pair of an operation and its source")
    # Two edges for each node, so that a pair's position gives its node.
    return [[name, 2 + index // 2, source] for index, (name, source) in enumerate(pairs)]
