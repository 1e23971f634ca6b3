"""Stems of supernets and discrete networks: what comes before the first cell."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn


class Stem(NamedTuple):
    """The two inputs of the first cell.

    Args:
        first: images [B, 3, H, W] to the state before the previous one.
        second: that state to the previous state.
        channels: channels of both.
        reduces: True if the second has half the size of the first.
    """

    first: nn.Module
    second: nn.Module
    channels: int
    reduces: bool


def build_stem(name: str, channels: int) -> Stem:
    """Build a stem for cells whose first has some channels.

    Raises:
        ValueError: the name is not `cifar` or `imagenet`.
    """
    match name:
        case "cifar":
            return Stem(*cifar_stem(channels), channels=3 * channels, reduces=False)
        case "imagenet":
            return Stem(*imagenet_stem(channels), channels=channels, reduces=True)
        case _:
            raise ValueError(f"{name} is not a stem: it must be cifar or imagenet")


def cifar_stem(channels: int) -> tuple[nn.Module, nn.Module]:
    """Return a stem with 3 * channels outputs at full size.

    It is both inputs of the first cell.
    """
    stem = nn.Sequential(
        nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels)
    )
    return stem, nn.Identity()


def imagenet_stem(channels: int) -> tuple[nn.Module, nn.Module]:
    """Return a stem of three convolutions of stride 2.

    The inputs of the first cell have a quarter and an eighth of the images' size.
    """

    def conv(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outputs)]

    first = nn.Sequential(*conv(3, channels // 2), nn.ReLU(), *conv(channels // 2, channels))
    return first, nn.Sequential(nn.ReLU(), *conv(channels, channels))
