"""What a person at the terminal sees while it runs."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ltnas.callbacks.history import History
from ltnas.training.monitor import MeasuringModule

REFRESH = 1.0
"""Seconds between looks at the losses: each look waits for the device."""


class _Numbers(ProgressColumn):
    """Loss, accuracy and what the module tells of its architecture."""

    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("numbers", "")), style="cyan")


class ProgressLine(L.Callback):
    """A bar over all epochs on a terminal; a line an epoch elsewhere. Comes after the history."""

    def __init__(self, console: Console, label: str, history: History) -> None:
        self.console, self.label, self.history = console, label, history
        self.progress: Progress | None = None
        self.looked = 0.0
        self.tested = ""

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Put up the bar."""
        if not trainer.is_global_zero or not self.console.is_terminal:
            return
        steps = int(trainer.num_training_batches)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TextColumn("{task.percentage:>3.0f}%"),
            _Numbers(),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.progress.start()
        self.task = self.progress.add_task(
            self.label,
            total=steps * int(trainer.max_epochs or 1),
            completed=steps * trainer.current_epoch,
        )

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Move the bar; look at the losses now and then."""
        if self.progress is None:
            return
        assert isinstance(module, MeasuringModule)
        self.progress.advance(self.task)
        if time.monotonic() - self.looked < REFRESH:
            return
        self.looked = time.monotonic()
        latest = module.latest()
        trained = f"loss {latest['train_loss']:.3f} acc {100 * latest['train_accuracy']:.0f}%"
        numbers = f"{trained} {self.tested}"
        self.progress.update(
            self.task,
            numbers=numbers,
            description=f"{self.label} {trainer.current_epoch + 1}/{trainer.max_epochs}",
        )

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Tell the epoch's numbers, which the history has by now."""
        row = self.history.rows[-1]
        skips = f" skips {row['skip_connections']}" if "skip_connections" in row else ""
        self.tested = f"test {100 * float(row['accuracy_balanced']):.1f}%{skips}"
        if self.progress is None and trainer.is_global_zero:
            loss = float(row["train_loss"])
            self.console.print(
                f"{self.label} {trainer.current_epoch + 1}/{trainer.max_epochs}  "
                f"loss {loss:.3f}  {self.tested}",
                highlight=False,
            )

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Take the bar down."""
        self._stop()

    def on_exception(
        self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back before a message is printed."""
        self._stop()

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
