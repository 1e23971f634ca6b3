"""Neural architecture search for long-tailed image data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltnas.models.saved import load_network as load_network

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type of a module attribute
    """`load_network` on first use, so that `import ltnas` does not import torch."""
    if name == "load_network":
        from ltnas.models.saved import load_network

        return load_network
    raise AttributeError(f"module 'ltnas' has no attribute {name!r}")
