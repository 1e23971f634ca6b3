"""Neural architecture search for long-tailed image data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltnas.models.saved import load_network as load_network
    from ltnas.models.saved import prepare as prepare

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type of a module attribute
    """Import `load_network` and `prepare` on first use, as `import ltnas` does not import torch."""
    if name in ("load_network", "prepare"):
        from ltnas.models import saved

        return getattr(saved, name)
    raise AttributeError(f"module 'ltnas' has no attribute {name!r}")
