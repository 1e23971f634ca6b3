"""Time and memory that a search is going to take, told after its first steps."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
from rich.console import Console

from ltnas.runs.memory import peak_memory
from ltnas.runs.units import duration
from ltnas.training.graphs import EAGER_STEPS, GraphRunner
from ltnas.training.search_module import SearchModule

MEASURED = 4
"""Number of steps whose time is measured."""


class CostForecast(L.Callback):
    """Prints the expected time of all steps, and the peak memory so far.

    Time is measured within the first epoch that has all steps, without warm-up, and after the steps
    that prepare memory, optimisers and recordings. Tests after epochs are not included. Nothing is
    printed for epochs that are too short.

    Args:
        console: console that is written to.
        epochs: number of epochs of all stages.
    """

    def __init__(self, console: Console, epochs: int) -> None:
        self.console, self.epochs = console, epochs
        self.started, self.told = 0.0, False

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Read the clock after two of the first steps of an epoch."""
        assert isinstance(module, SearchModule)
        if self.told or module.current_epoch < module.warmup_epochs:
            return
        # The step that is recorded is followed by one that is replayed.
        first = EAGER_STEPS + 1 if isinstance(module.run, GraphRunner) else 1
        if batch_idx not in (first, first + MEASURED):
            return
        module.latest()  # waits until the device has computed the step
        now = time.monotonic()
        if batch_idx == first:
            self.started = now
            return
        self.told = True
        step, epochs = (now - self.started) / MEASURED, self.epochs - module.epoch
        total = step * epochs * int(trainer.num_training_batches)
        self.console.print(
            f"a step takes {step:.2f} s: expect {duration(total)} for the steps of {epochs} "
            f"epochs; peak memory {peak_memory(module.device):.1f} GiB",
            soft_wrap=True,
        )
