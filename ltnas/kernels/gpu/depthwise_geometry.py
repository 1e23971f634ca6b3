"""Geometry of depthwise convolutions that one launch computes."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

COLUMNS = 4
"""Neighbouring pixels of a row that a thread computes together; the kernels name each of them."""
MOST = 4
"""Most convolutions of one launch; the kernels name each of them."""
LARGEST = 7
"""Largest kernel."""
ELEMENTS = 1024
"""Elements of a program: channels of groups of COLUMNS pixels."""
Moments = Tensor
"""Normalisation of each channel of an input: mean, inverse deviation, slope and shift, [4, C]."""


class Geometry(NamedTuple):
    """Up to four depthwise convolutions of an input with the same edges and the same stride."""

    kernels: tuple[int, ...]
    """Side of the kernels of each convolution."""
    dilations: tuple[int, ...]
    """Distance between the taps of each convolution."""
    stride: int
    rectify: bool
    """True to convolve max(x, 0)."""
    filters: int
    """Number of filters of each convolution, a multiple of its input channels."""
    channels: int
    """Number of input channels of each convolution."""
    sliced: bool
    """True if each convolution has an input of its own, a slice of channels."""
    x_step: int
    """Distance of two pixels of the input in elements."""

    def constants(self) -> dict[str, int]:
        """Return the constants of the kernels."""
        absent = (0,) * (MOST - len(self.kernels))
        pairs = zip((*self.kernels, *absent), (*self.dilations, *absent), strict=True)
        found = {"CHANNELS": self.channels, "FILTERS": self.filters, "X_STEP": self.x_step}
        for number, (kernel, dilation) in enumerate(pairs):
            found |= {f"K{number}": kernel, f"D{number}": max(dilation, 1)}
        return found | {"RECTIFY": self.rectify}


def check_kernel(kernel: int) -> None:
    """Raise ValueError if a kernel has a side that is not supported."""
    if kernel > LARGEST or kernel % 2 == 0:
        raise ValueError(f"kernels of {kernel} x {kernel} are not supported")
