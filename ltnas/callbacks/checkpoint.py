"""The state after each epoch, so that a run that dies can go on as if it had not."""

from __future__ import annotations

from pathlib import Path

import lightning as L

from ltnas.runs.atomic import atomically


class EpochCheckpoint(L.Callback):
    """Saves at the end of each epoch, whole or not at all; must be the last callback.

    At epoch ends only: a run that dies within an epoch repeats it from its start, which gives the
    same numbers, since batches and random numbers are functions of seed and epoch.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Save everything: parameters, optimisers, loops, the state of callbacks."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.path)  # takes part; the first process alone writes
            return
        with atomically(self.path) as partial:
            trainer.save_checkpoint(partial)
