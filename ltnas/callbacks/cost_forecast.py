"""Time and memory that a search is going to take, told after its first steps."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
from rich.console import Console

from ltnas.runs.memory import peak_memory
from ltnas.runs.units import duration
from ltnas.training.monitor import MeasuringModule

FIRST, LAST = 2, 6
"""Numbers of the steps, from 1, between which time is measured: the very first one also prepares
memory and optimisers."""


class CostForecast(L.Callback):
    """Prints the expected time of all steps, and the peak memory so far.

    Tests after epochs are not included. Nothing is printed for a run that is over by then.

    Args:
        console: console that is written to.
        epochs: number of epochs of all stages.
    """

    def __init__(self, console: Console, epochs: int) -> None:
        self.console, self.epochs = console, epochs
        self.steps, self.started = 0, 0.0

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Read the clock after two of the first steps."""
        assert isinstance(module, MeasuringModule)
        self.steps += 1
        if self.steps not in (FIRST, LAST):
            return
        module.latest()  # waits until the device has computed the step
        now = time.monotonic()
        if self.steps == FIRST:
            self.started = now
            return
        step, epochs = (now - self.started) / (LAST - FIRST), self.epochs - module.epoch
        total = step * epochs * int(trainer.num_training_batches)
        self.console.print(
            f"a step takes {step:.2f} s: expect {duration(total)} for the steps of {epochs} "
            f"epochs; peak memory {peak_memory(module.device):.1f} GiB",
            soft_wrap=True,
        )
