"""Warning when a search collapses, and an early end of the search where that is wanted."""

from __future__ import annotations

import lightning as L
from rich.console import Console

from ltnas.callbacks.history import History
from ltnas.config import Collapse
from ltnas.data.module import LongTailData
from ltnas.diagnostics.collapse import Collapsed, collapsed
from ltnas.loggers.charts import chart_name
from ltnas.training.monitor import MeasuringModule

ADVICE = "try scheme=fairdarts, a smaller architecture.learning_rate, or fewer epochs"


class CollapseWatch(L.Callback):
    """Warns once when a search collapses; must come after the history, which it reads.

    Args:
        console: console that the warning is printed to.
        history: history of the search, whose rows decide whether it has collapsed.
        rule: rules in use and their thresholds.
        stop: end the search after the epoch in which it collapses.

    Attributes:
        collapse: first collapse of the search; None as long as it is healthy.
    """

    def __init__(self, console: Console, history: History, rule: Collapse, stop: bool) -> None:
        self.console, self.history, self.rule, self.stop = console, history, rule, stop
        self.collapse: Collapsed | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Check the epochs of an earlier process, which may have ended right after a collapse."""
        for epochs in range(1, len(self.history.rows) + 1):
            self.collapse = self.collapse or collapsed(self.history.rows[:epochs], self.rule)
        self._stop_if_collapsed(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Check the newest epoch, warn at the first collapse, and log the state."""
        assert isinstance(module, MeasuringModule)
        if self.collapse is None:
            # A function of the rows alone, so that a resumed run decides as one that was never
            # interrupted.
            self.collapse = collapsed(self.history.rows, self.rule)
            if self.collapse is not None and trainer.is_global_zero:
                advice = "" if self.stop else f": {ADVICE}, or stop_on_collapse=true"
                note = f"note: collapse, {self.collapse.reason}{advice}"
                self.console.print(note, soft_wrap=True)
        for logger in trainer.loggers:
            numbers = {chart_name("collapsed"): float(self.collapse is not None)}
            logger.log_metrics(numbers, step=module.epoch)
        self._stop_if_collapsed(trainer)

    def _stop_if_collapsed(self, trainer: L.Trainer) -> None:
        if self.stop and self.collapse is not None:
            trainer.should_stop = True


def test_last_epoch(
    trainer: L.Trainer, module: MeasuringModule, data: LongTailData, history: History
) -> None:
    """Test the supernet of a search that has stopped after an epoch without a test.

    Only after an epoch it is known that no other follows, and with `test_every` above 1 the
    results of the last test would be those of an earlier epoch, or there would be none.

    Args:
        trainer: trainer, whose `fit` has ended.
        module: search module.
        data: data of the search.
        history: history, to whose last row the results are added.
    """
    if module.tests.headline not in history.rows[-1]:
        trainer.validate(module, datamodule=data, verbose=False)
        history.add_to_last_epoch(module.test_numbers())
