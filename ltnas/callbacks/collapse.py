"""Says that a search collapses while it does, and ends it where that is wanted."""

from __future__ import annotations

import lightning as L
from rich.console import Console

from ltnas.callbacks.history import History
from ltnas.config import Collapse
from ltnas.diagnostics.collapse import Collapsed, collapsed
from ltnas.loggers.charts import shown_as

ADVICE = "try scheme=fairdarts, a smaller architecture.learning_rate, or fewer epochs"


class CollapseWatch(L.Callback):
    """Warns once; comes after the history, of which it is a function alone.

    `found` is the first collapse; with `stop` no epoch begins after it.
    """

    def __init__(self, console: Console, history: History, rule: Collapse, stop: bool) -> None:
        self.console, self.history, self.rule, self.stop = console, history, rule, stop
        self.found: Collapsed | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Look at what an earlier process has left: it may have died right after a collapse."""
        for epochs in range(1, len(self.history.rows) + 1):
            self.found = self.found or collapsed(self.history.rows[:epochs], self.rule)
        self._end(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Look at the newest epoch."""
        if self.found is None:
            self.found = collapsed(self.history.rows, self.rule)
            if self.found is not None and trainer.is_global_zero:
                advice = "" if self.stop else f": {ADVICE}, or stop_on_collapse=true"
                self.console.print(f"note: collapse, {self.found.reason}{advice}", soft_wrap=True)
        for logger in trainer.loggers:
            numbers = {shown_as("collapsed"): float(self.found is not None)}
            logger.log_metrics(numbers, step=trainer.current_epoch)
        self._end(trainer)

    def _end(self, trainer: L.Trainer) -> None:
        if self.stop and self.found is not None:
            trainer.should_stop = True
