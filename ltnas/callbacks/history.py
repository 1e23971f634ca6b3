"""Numbers of each epoch, written to CSV files and sent to the loggers."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L

from ltnas.loggers.charts import chart_name
from ltnas.runs.folder import RunFolder
from ltnas.runs.memory import peak_memory
from ltnas.training.monitor import MeasuringModule
from ltnas.training.optimisation import rate_of

Row = dict[str, float]
"""Numbers of one epoch by their names; counts, such as the epoch itself, are integers."""


def to_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV text; columns that a row lacks are empty.

    Floats are written so that reading them gives the same bits.
    """
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class History(L.Callback):
    """Writes history.csv (numbers that the seed determines) and cost.csv (seconds and memory).

    The files are separate so that history.csv is bit-identical for all runs of one configuration,
    whether they were interrupted and resumed or not.

    Args:
        folder: run folder that the files are written to.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        self.costs: list[Row] = []
        self.started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Start the clock of the epoch."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Add a row to both files and send the numbers to the loggers."""
        assert isinstance(module, MeasuringModule)
        row: Row = {
            "epoch": module.epoch,
            "learning_rate": rate_of(trainer.optimizers[0]),
            **module.epoch_means(),
            **(module.test_numbers() if module.tests_now() else {}),
            **module.epoch_details(),
        }
        cost: Row = {
            "epoch": module.epoch,
            "seconds": round(time.monotonic() - self.started, 3),
            "peak_memory_gib": round(peak_memory(module.device), 3),
        }
        self.rows.append(row)
        self.costs.append(cost)
        self._write_rows()
        self.folder.write_text("cost.csv", to_csv(self.costs))
        numbers = {chart_name(key): float(value) for key, value in {**row, **cost}.items()}
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=module.epoch)

    def _write_rows(self) -> None:
        self.folder.write_text("history.csv", to_csv(self.rows))

    def add_to_last_epoch(self, numbers: Row) -> None:
        """Add numbers to the row of the last epoch."""
        self.rows[-1].update(numbers)
        self._write_rows()

    @property
    def seconds(self) -> float:
        """Seconds of all epochs together."""
        return sum(cost["seconds"] for cost in self.costs)

    @property
    def peak_memory_gib(self) -> float:
        """Largest peak memory of any epoch, in GiB."""
        return max((cost["peak_memory_gib"] for cost in self.costs), default=0.0)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far, in plain types, for a checkpoint."""
        return {"rows": self.rows, "costs": self.costs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows of a checkpoint; new epochs are added after them."""
        self.rows, self.costs = list(state_dict["rows"]), list(state_dict["costs"])
