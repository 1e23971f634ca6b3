"""Lightning strategy that starts one process per device."""

from __future__ import annotations

from lightning.pytorch.strategies import DDPStrategy


class ProcessPerDevice(DDPStrategy):
    """Lightning's DDP without the wrapper: processes are started, the module stays as it is."""

    def configure_ddp(self) -> None:
        """Do not wrap the module: modules average their own gradients."""
