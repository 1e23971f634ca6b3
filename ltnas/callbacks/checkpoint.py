"""Checkpoint after each epoch, from which an interrupted run resumes with the same results."""

from __future__ import annotations

from pathlib import Path

import lightning as L

from ltnas.runs.atomic import atomically


class EpochCheckpoint(L.Callback):
    """Saves a checkpoint atomically at the end of each epoch; must be the last callback.

    A run that is interrupted within an epoch repeats that epoch from its start. This gives the
    same numbers, since batches and random numbers depend only on seed, epoch and rank.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Save parameters, optimisers, loops and the state of callbacks."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.path)  # all ranks take part, only rank 0 writes
            return
        # An interrupted write must not destroy the only checkpoint.
        with atomically(self.path) as partial:
            trainer.save_checkpoint(partial)
