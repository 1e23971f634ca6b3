"""Our kernels for the CPU: built by the machine's own compiler at first use, else done without.

`kernels()` gives them, or None; nothing else in the package knows how they came to be.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Sequence
from ctypes import POINTER, Structure, c_double, c_int64, c_void_p

import torch
from torch import Tensor

from ltnas.kernels.build import build_library

SUFFIXES = {torch.float32: "f32", torch.float64: "f64"}
"""Of the kernels' names, by type."""
SWITCH = "LTNAS_KERNELS"
"""Environment variable: `off` does without."""


class Shape(Structure):
    """What a unit or pool sees; kernels.cpp says what the fields mean."""

    _fields_ = [
        (name, c_int64)
        for name in (
            *("images", "height", "width", "channels", "edges", "kernel", "dilation", "stride"),
            *("source_height", "source_width", "step", "shared", "x_stride", "threads"),
        )
    ]


TYPES = {"s": POINTER(Shape), "a": c_void_p, "i": c_int64, "n": c_double}
SIGNATURES = {
    "unit_forward": "s aaaaa aa aa",
    "unit_backward": "s aaaaa aa ai aaaaa ai aaa",
    "rectified_forward": "iii aaaa i",
    "rectified_backward": "iii aaaa aaaa aa i",
    "mix": "iii aaaaa a ai ii",
    "mix_products": "iii ai aaaaa i",
    "moments": "ii ai a i",
    "statistics": "a ii aa nn aa",
    "normalised_backward": "iii ai ai aaaa a i",
    "pool_forward": "s a aa",
    "pool_backward": "s a aa ai",
}
"""Arguments of each kernel: shape, address, integer, number."""


class Kernels:
    """The functions of a built library, each called by name and type."""

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        self.functions = {}
        for name, arguments in SIGNATURES.items():
            for dtype, suffix in SUFFIXES.items():
                function = getattr(library, f"{name}_{suffix}")
                function.argtypes = [TYPES[code] for code in arguments if code != " "]
                function.restype = None
                self.functions[name, dtype] = function

    def __call__(self, name: str, dtype: torch.dtype, *arguments: object) -> None:
        """Run a kernel; tensors are passed as their addresses, None as no address."""
        self.functions[name, dtype](
            *(a.data_ptr() if isinstance(a, Tensor) else a for a in arguments)
        )


@functools.cache
def kernels() -> Kernels | None:
    """The kernels of this machine, or None where they cannot be built."""
    if os.environ.get(SWITCH) == "off":
        return None
    path = build_library()
    try:
        return None if path is None else Kernels(str(path))
    except (OSError, AttributeError):
        return None


def addresses(tensors: Sequence[Tensor]) -> ctypes.Array[c_void_p]:
    """An array of the tensors' addresses; keep the tensors alive while it is in use."""
    return (c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def integers(values: Sequence[int]) -> ctypes.Array[c_int64]:
    """An array of C integers."""
    return (c_int64 * len(values))(*values)
