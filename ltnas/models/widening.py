"""Weights of a supernet with wider candidate operations, from those of a narrower one (DrNAS).

The wider operations have copies of the narrow ones' channels. Where an operation sums over its
input channels, the weights of a channel with several copies are divided by their number: given
copied inputs, a wider operation returns copies of what the narrow one returns (Chen, Goodfellow and
Shlens 2016, section 2.2). The published code of DrNAS does not divide.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ltnas.models.sources import Source
from ltnas.models.supernet import Supernet, SupernetCell


def copied_channels(narrow: int, wide: int) -> Tensor:
    """Return the narrow channel that each wide channel copies, int64 [wide].

    Both halves of the wide channels copy the same half of the narrow ones if both widths are even,
    because a skip connection of stride 2 computes each half by a convolution of its own.
    """
    if narrow % 2 or wide % 2:
        return torch.arange(wide) % narrow
    half = torch.arange(wide // 2) % (narrow // 2)
    return torch.cat([half, half + narrow // 2])


def widened(tensor: Tensor, name: str, channels: Tensor) -> Tensor:
    """Return a tensor of one edge's wider operation.

    Args:
        tensor: weights or statistics of the narrow operation on one edge.
        name: name of the tensor within its operation.
        channels: see `copied_channels`.
    """
    outputs, copies = channels, channels.bincount()
    if "conv_" in name:  # a half of the output channels of `Reduce`
        half = len(copies) // 2
        first, second = channels[channels < half], channels[channels >= half] - half
        outputs = first if name == "conv_1" else second
    wide = tensor[outputs]
    if name.endswith("pointwise") or "conv_" in name:
        # [outputs, inputs, 1, 1]: the copies of an input share its weight.
        wide = wide[:, channels] / copies[channels].view(1, -1, 1, 1).to(wide.dtype)
    return wide


def widened_tensors(
    narrow: Supernet, wide: Supernet, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the tensors of a wider supernet by their names in it.

    Args:
        narrow: the narrower supernet.
        wide: the wider one, with the same cells, and operations that are some of the narrow one's.
        tensors: tensors of the narrower supernet by name: weights, statistics, or what an optimiser
            keeps of each weight; names that it lacks are left out.
    """
    found: dict[str, Tensor] = {}
    for name in wide.state_dict():
        if ".candidates." not in name and name in tensors:
            found[name] = tensors[name].clone()
    for prefix, module in narrow.named_modules():
        if isinstance(module, SupernetCell):
            other = wide.get_submodule(prefix)
            assert isinstance(other, SupernetCell)
            found |= _cell_tensors(prefix, module, other, tensors)
    return found


def _cell_tensors(
    prefix: str, narrow: SupernetCell, wide: SupernetCell, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the tensors of the candidate operations of a wider cell."""
    found: dict[str, Tensor] = {}
    for number, (old, new) in enumerate(zip(narrow.sources, wide.sources, strict=True)):
        assert isinstance(old, Source)
        assert isinstance(new, Source)
        channels = copied_channels(old.channels, new.channels)
        for operation, candidate in new.candidates.items():
            rows = [old.rows[operation].index(row) for row in new.rows[operation]]
            for inner in candidate.state_dict():
                name = f"{prefix}.sources.{number}.candidates.{operation}.{inner}"
                if name not in tensors:
                    continue
                value = tensors[name]
                if value.dim() == 0:  # a counter of batches
                    found[name] = value.clone()
                    continue
                # Weights of all edges lie side by side; a pool is shared by all edges.
                edges = 1 if "pool" in operation else len(old.rows[operation])
                parts = value.chunk(edges)
                chosen = [0] if "pool" in operation else rows
                own = channels.to(value.device)
                found[name] = torch.cat([widened(parts[row], inner, own) for row in chosen])
    return found
