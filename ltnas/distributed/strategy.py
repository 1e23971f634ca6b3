"""The Lightning strategy that starts one process for each device."""

from __future__ import annotations

from lightning.pytorch.strategies import DDPStrategy


class ProcessPerDevice(DDPStrategy):
    """Starts one process a device as Lightning's DDP does, and wraps nothing around the module."""

    def configure_ddp(self) -> None:
        """Nothing: modules average their own gradients."""
