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


ADDRESS, INTEGER, NUMBER = c_void_p, c_int64, c_double
SIGNATURES: dict[str, list[type]] = {
    "unit_forward": [
        POINTER(Shape),
        *(ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS),
    ],
    "unit_backward": [
        *(
            POINTER(Shape),
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            INTEGER,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
        ),
        *(ADDRESS, INTEGER, ADDRESS, ADDRESS, ADDRESS),
    ],
    "mix": [
        INTEGER,
        INTEGER,
        INTEGER,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        INTEGER,
        INTEGER,
        INTEGER,
    ],
    "mix_products": [
        INTEGER,
        INTEGER,
        INTEGER,
        ADDRESS,
        INTEGER,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        INTEGER,
    ],
    "moments": [INTEGER, INTEGER, ADDRESS, INTEGER, ADDRESS, INTEGER],
    "statistics": [ADDRESS, INTEGER, INTEGER, ADDRESS, ADDRESS, NUMBER, NUMBER, ADDRESS, ADDRESS],
    "normalised_backward": [
        INTEGER,
        INTEGER,
        INTEGER,
        ADDRESS,
        INTEGER,
        ADDRESS,
        INTEGER,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        ADDRESS,
        INTEGER,
    ],
    "pool_forward": [POINTER(Shape), ADDRESS, ADDRESS, ADDRESS],
    "pool_backward": [POINTER(Shape), ADDRESS, ADDRESS, ADDRESS, ADDRESS, INTEGER],
}


class Kernels:
    """The functions of a built library, each called by name and type."""

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        self.functions = {}
        for name, arguments in SIGNATURES.items():
            for dtype, suffix in SUFFIXES.items():
                function = getattr(library, f"{name}_{suffix}")
                function.argtypes, function.restype = arguments, None
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
