"""Checkpoints of the original DARTS code (quark0/darts), read into the modules of this package.

Only names differ, told by a few rules, and the supernet stacks what is one tensor an edge there.
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
from ltnas.models.network import Network
from ltnas.models.search_network import SearchNetwork, build_search_network
from ltnas.models.stacking import plain_names, plain_shape, stack
from ltnas.space.genotype import CellGenotype, Genotype, load_genotype, parse_genotype
from ltnas.space.layout import KINDS

Model = TypeVar("Model", Network, SearchNetwork)

NODES = 4
FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
"""Of the original's genotype, in its order."""
COUNTER = "num_batches_tracked"
"""Buffer of normalisations that checkpoints older than PyTorch 0.4.1 lack; it changes no output."""

RULES = (
    (r"^(cells\.\d+\.)mixed\.(\d+)\.operations\.", r"\1_ops.\2._ops."),
    (r"^(cells\.\d+\.)operations\.", r"\1_ops."),
    # A block is the `op` of a module there; a normalised pool (its normalisation is number 1 and
    # the only one with that number) is a bare Sequential.
    (
        r"^(cells\.\d+\.(?:preprocess[01]|_ops\.\d+(?:\._ops\.\d+)?)\.)"
        r"(?=\d+\.)(?!1\.(?:running_mean|running_var|num_batches_tracked)$)",
        r"\1op.",
    ),
)
"""Pattern in a name of ours, and what the original code has in its place."""


def load_official_supernet(
    state_dict: Mapping[str, Tensor],
    alphas_normal: Tensor,
    alphas_reduce: Tensor,
    channels: int,
    cells: int,
    num_classes: int,
) -> SearchNetwork:
    """The search network of a checkpoint, with softmax weights, on the CPU, in training mode.

    Args:
        state_dict: of the original search network; the dtype of its weights is kept.
        alphas_normal: architecture parameters of normal cells, [14, 8], operations in the order of
            `ltnas.config.OPERATIONS`; the original does not keep them in its state dict.
        alphas_reduce: those of reduction cells.
        channels: of the first cell (`C` there).
        cells: in the stack (`layers` there).
        num_classes: of the classifier.

    Raises:
        UserError: the checkpoint does not fit; the message names the first key that does not.
    """
    settings = f"channels={channels}, cells={cells} and num_classes={num_classes}"
    _check_counts(channels, cells, num_classes)
    with torch.device("meta"):
        network = build_search_network(
            operations=list(OPERATIONS),
            nodes=NODES,
            channels=channels,
            cells=cells,
            classes=num_classes,
            relaxation=Softmax(),
            initial_deviation=0.0,
        )
    alphas = {"normal": alphas_normal, "reduce": alphas_reduce}
    ours = {}
    for name, parameter in network.architecture_parameters().items():
        found, needed = tuple(alphas[name].shape), tuple(parameter.shape)
        require(
            found == needed,
            f"alphas_{name} has the shape {found}: give the {needed} tensor of a DARTS search",
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
    """The discrete network of a checkpoint, on the CPU, in training mode.

    Networks of CIFAR and of ImageNet are told apart by the names of their stems.

    Args:
        state_dict: of the original evaluation network; the dtype of its weights is kept.
        genotype: of its cells: a `Genotype`; a published name, file or run folder; or the
            original's, an object, dict or tuple of normal, normal_concat, reduce and
            reduce_concat, each cell as pairs (operation, source), two for each node.
        channels: of the first cell (`C` there).
        cells: in the stack (`layers` there).
        num_classes: of the classifier.
        auxiliary: whether the checkpoint holds an auxiliary classifier.

    Raises:
        UserError: the checkpoint or the genotype does not fit; the message names the first key
            that does not.
    """
    settings = (
        f"channels={channels}, cells={cells}, num_classes={num_classes}, auxiliary={auxiliary} "
        "and the genotype"
    )
    _check_counts(channels, cells, num_classes)
    cells_of = _genotype(genotype)
    imagenet = any(_bare(name).startswith("stem0.") for name in state_dict)
    stem, official_stem = ("imagenet", "stem0") if imagenet else ("cifar", "stem")
    with torch.device("meta"):
        network = Network(cells_of, channels, cells, num_classes, auxiliary, stem)
    return _filled(network, state_dict, settings, stem=official_stem)


def _check_counts(channels: int, cells: int, num_classes: int) -> None:
    counts = (("channels", channels), ("cells", cells), ("num_classes", num_classes))
    for key, value in counts:
        require(value >= 1, f"{key}={value} must be 1 or more")


# --- weights ------------------------------------------------------------------------------------


def _bare(name: str) -> str:
    """A name without what DataParallel puts before it."""
    return name.removeprefix("module.")


def _official_name(name: str, stem: str) -> str:
    """What the original code calls a tensor of ours; `stem` is the name of its first stem."""
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
    """A model built on the meta device, with the numbers of a checkpoint.

    Args:
        model: to fill.
        state_dict: names of the original code to tensors.
        settings: what the model was built from, for messages.
        ours: names of this package to tensors that the checkpoint does not hold.
        stem: the original's name of the first stem.

    Raises:
        UserError: a name or a shape does not fit.
    """
    tensors = dict(ours or {})
    theirs = {_bare(name): tensor for name, tensor in state_dict.items()}
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
    for official in needed:
        if official.endswith(COUNTER):
            theirs.setdefault(official, torch.tensor(0))
    _check_fit(theirs, needed, settings)
    _check_pools(theirs, names)
    tensors |= stack(theirs, names)
    model.to_empty(device="cpu").to(theirs["classifier.weight"].dtype)
    model.load_state_dict(tensors)
    if isinstance(model, Network):
        model.set_drop_path(0.0)
    return model


def _check_pools(theirs: Mapping[str, Tensor], names: Mapping[str, Sequence[str]]) -> None:
    """Raise a `UserError` if edges that pool the same state did not see the same."""
    for first, *others in names.values():
        for other in others if re.search(r"_ops\.\d+\.1\.running", first) else []:
            require(
                torch.allclose(theirs[first], theirs[other], rtol=1e-3),
                f"{other} is not {first}, though both are of the same pool of the same state: "
                "give the checkpoint of one search",
            )


def _check_fit(
    theirs: Mapping[str, Tensor], needed: Mapping[str, torch.Size], settings: str
) -> None:
    """Raise a `UserError` at the first name or shape in a checkpoint that is not as needed."""
    cure = f"{settings} must be those that it was made with"
    for name in needed:
        require(name in theirs, f"the checkpoint has no {name}: {cure}")
    for name in theirs:
        require(name in needed, f"the checkpoint has {name}, which the network has not: {cure}")
    for name, shape in needed.items():
        found = tuple(theirs[name].shape)
        require(
            found == tuple(shape),
            f"{name} has the shape {found} in the checkpoint and {tuple(shape)} in the network: "
            f"{cure}",
        )


# --- genotypes ----------------------------------------------------------------------------------


def _genotype(genotype: object) -> Genotype:
    """Any form of a genotype as ours, edges in the order in which the original code builds them."""
    if isinstance(genotype, str | Path):
        genotype = load_genotype(str(genotype))[0]
    if not isinstance(genotype, Genotype):
        genotype = _parse_official(genotype)
    return Genotype(*(_by_node(genotype.cell(kind)) for kind in KINDS))


def _by_node(cell: CellGenotype) -> CellGenotype:
    """The original builds node after node, and keeps the order of the edges into a node."""
    return CellGenotype(tuple(sorted(cell.edges, key=lambda edge: edge.node)), cell.concat)


def _parse_official(genotype: object) -> Genotype:
    fields = _official_fields(genotype)
    data = {
        kind: {"edges": _official_edges(fields[kind]), "concat": list(fields[f"{kind}_concat"])}
        for kind in KINDS
    }
    return parse_genotype(data, "genotype")


def _official_fields(genotype: object) -> dict[str, Any]:
    """The fields of an object, a dict or a plain tuple; each a list, tuple or range."""
    found: Mapping[str, Any]
    if isinstance(genotype, Mapping):
        found = genotype
    elif type(genotype) is tuple:
        found = dict(zip(FIELDS, genotype, strict=False))
    else:
        found = {field: getattr(genotype, field, None) for field in FIELDS}
    for field in FIELDS:
        require(
            isinstance(found.get(field), list | tuple | range),
            f"genotype has no {field}: give a published name, a file, a Genotype, or the "
            f"original's with {', '.join(FIELDS)}",
        )
    return dict(found)


def _official_edges(pairs: Sequence[Any]) -> list[list[Any]]:
    """Pairs (operation, source), two for each node from 2 on, as [operation, node, source]."""
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise UserError(f"genotype: {pair!r} is no pair of an operation and its source")
    return [[name, 2 + index // 2, source] for index, (name, source) in enumerate(pairs)]
