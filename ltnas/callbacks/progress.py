"""Progress of a training at the terminal."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ltnas.callbacks.history import History
from ltnas.data.test_sets import BALANCED
from ltnas.runs.columns import other_learners
from ltnas.training.monitor import MeasuringModule

REFRESH = 1.0
"""Seconds between readings of the losses; each reading waits for the device."""


class _Numbers(ProgressColumn):
    """Column of the progress bar with the newest loss and accuracies."""

    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("numbers", "")), style="cyan")


class ProgressLine(L.Callback):
    """Shows a bar over all epochs on a terminal, and prints one line for each epoch elsewhere.

    Must come after the history, whose newest row it shows.

    Args:
        console: console that is written to.
        label: name of the run or stage in front of the numbers.
        history: history of the training.
        epochs: number of epochs of all stages; None: those of the trainer.
    """

    def __init__(
        self, console: Console, label: str, history: History, epochs: int | None = None
    ) -> None:
        self.console, self.label, self.history = console, label, history
        self.epochs = epochs
        self.progress: Progress | None = None
        self.last_reading = 0.0
        self.test_summary = ""

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Start the bar; a resumed training starts it at the epochs that are done."""
        assert isinstance(module, MeasuringModule)
        if not trainer.is_global_zero or not self.console.is_terminal:
            return
        steps = int(trainer.num_training_batches)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            TextColumn("{task.percentage:>3.0f}%"),
            _Numbers(),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.progress.start()
        self.task = self.progress.add_task(
            self.label,
            total=steps * self._epochs(trainer),
            completed=steps * module.epoch,
        )

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's signature
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Advance the bar; read the losses every `REFRESH` seconds."""
        if self.progress is None:
            return
        assert isinstance(module, MeasuringModule)
        self.progress.advance(self.task)
        if time.monotonic() - self.last_reading < REFRESH:
            return
        self.last_reading = time.monotonic()
        latest = module.latest()
        training = f"loss {latest['train_loss']:.3f} acc {100 * latest['train_accuracy']:.0f}%"
        self.progress.update(
            self.task,
            numbers=f"{training} {self.test_summary}",
            description=f"{self.label} {module.epoch + 1}/{self._epochs(trainer)}",
        )

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Show the test accuracy of the epoch, which the history holds by now.

        It is the mean of the classes' accuracies if the test images are not balanced.
        """
        assert isinstance(module, MeasuringModule)
        row, tests = self.history.rows[-1], module.tests
        kind = "" if tests.name == BALANCED else " class-balanced"
        kind += f" of {tests.part:,} images" if tests.part else ""
        skips = f" skips {row['skip_connections']}" if "skip_connections" in row else ""
        summary = skips.strip()
        if tests.headline in row:  # otherwise the epoch was not tested
            summary = self.test_summary = f"test {100 * row[tests.headline]:.1f}%{kind}{skips}"
        if self.progress is None and trainer.is_global_zero:
            others = "".join(f"{name} {row[f'{name}_loss']:.3f}  " for name in other_learners(row))
            self.console.print(
                f"{self.label} {module.epoch + 1}/{self._epochs(trainer)}  "
                f"loss {row['train_loss']:.3f}  {others}{summary}",
                highlight=False,
            )

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Remove the bar."""
        self._stop()

    def on_exception(
        self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException
    ) -> None:
        """Remove the bar before an error message is printed."""
        self._stop()

    def _epochs(self, trainer: L.Trainer) -> int:
        """Return the number of epochs of all stages."""
        return self.epochs or int(trainer.max_epochs or 1)

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
