"""A context in which networks are computed by PyTorch's own operations, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_OFF = ContextVar("kernels_off", default=False)


@contextmanager
def without_kernels() -> Iterator[None]:
    """Compute without the CPU and GPU kernels, for those who look inside a network.

    A kernel computes several operations at once: their ReLUs and normalisations are no modules or
    operations that hooks and dispatch modes could see, and have no second derivatives.
    """
    token = _OFF.set(True)
    try:
        yield
    finally:
        _OFF.reset(token)


def switched_off() -> bool:
    """Return True inside of `without_kernels`."""
    return _OFF.get()
