"""CPU kernels in C++, built by the machine's own compiler at first use.

`kernels()` returns them, or None if this machine has none; callers then compute in plain PyTorch.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Sequence
from ctypes import POINTER, Structure, c_double, c_int64, c_void_p

import torch
from torch import Tensor

from ltnas.kernels.build import BuildError, build_library

SUFFIXES = {torch.float32: "f32", torch.float64: "f64"}
"""Suffix of a kernel's name in the library, by the dtype that it computes with."""
SWITCH = "LTNAS_KERNELS"
"""Environment variable that disables the kernels if it is `off`."""


class Shape(Structure):
    """Sizes and strides of a unit or a pool; `Shape` in kernels.cpp documents the fields."""

    _fields_ = [
        (name, c_int64)
        for name in (
            *("images", "height", "width", "channels", "edges", "kernel", "dilation", "stride"),
            *("source_height", "source_width", "step", "shared", "x_stride", "threads"),
        )
    ]


TYPES = {"s": POINTER(Shape), "a": c_void_p, "i": c_int64, "n": c_double}
"""C type of an argument, by its letter in `SIGNATURES`."""
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
"""Arguments of each kernel: s for a `Shape`, a for an address, i for an integer, n for a number."""


class Kernels:
    """Functions of a built library, called by name and dtype.

    Args:
        path: path of the shared library.

    Raises:
        OSError: the file cannot be loaded.
        AttributeError: the library lacks a kernel.
    """

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        self.functions = {}
        for name, arguments in SIGNATURES.items():
            for dtype, suffix in SUFFIXES.items():
                # Declared types let ctypes check the number of arguments and convert them.
                function = getattr(library, f"{name}_{suffix}")
                function.argtypes = [TYPES[code] for code in arguments if code != " "]
                function.restype = None
                self.functions[name, dtype] = function

    def __call__(self, name: str, dtype: torch.dtype, *arguments: object) -> None:
        """Run a kernel; a tensor is passed as its address, None as a null pointer."""
        self.functions[name, dtype](
            # Nothing about shapes or strides reaches the kernel with an address: tensors must be
            # dense, or their strides are arguments of their own.
            *(a.data_ptr() if isinstance(a, Tensor) else a for a in arguments)
        )


@functools.cache
def kernels() -> Kernels | None:
    """Return the kernels of this machine, or None if they are switched off or not available.

    A build or a library that fails is reported on stderr, once per process because the result is
    cached. A machine without a compiler is a supported case and is not reported.
    """
    if os.environ.get(SWITCH) == "off":
        return None
    try:
        # Results do not depend on the kernels beyond rounding, so that a failure is only a note.
        path = build_library()
    except BuildError as error:
        _report(f"built ({error})")
        return None
    try:
        return None if path is None else Kernels(str(path))
    except (OSError, AttributeError) as error:
        _report(f"loaded ({error})")
        return None


def _report(failure: str) -> None:
    message = (
        f"note: the CPU kernels could not be {failure}: plain PyTorch is used, which is slower; "
        f"{SWITCH}=off silences this"
    )
    print(" ".join(message.split()), file=sys.stderr)


def addresses(tensors: Sequence[Tensor]) -> ctypes.Array[c_void_p]:
    """Return an array of the tensors' addresses; keep the tensors alive while it is in use."""
    return (c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def integers(values: Sequence[int]) -> ctypes.Array[c_int64]:
    """Return an array of C integers."""
    return (c_int64 * len(values))(*values)
