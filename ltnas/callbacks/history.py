"""Numbers of each epoch, as csv files and to the loggers."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import lightning as L

from ltnas.loggers.charts import shown_as
from ltnas.runs.folder import RunFolder
from ltnas.runs.memory import peak_memory
from ltnas.training.monitor import MeasuringModule

Row = dict[str, float | int | str]


def to_csv(rows: list[Row]) -> str:
    """Rows as text, what one of them lacks left empty; floats so that they read back to the bit."""
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class History(L.Callback):
    """Writes history.csv (what the seed decides) and cost.csv (what the machine does).

    Apart, so that the first is the same to the bit for every run of one configuration, killed and
    resumed or not.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        self.costs: list[Row] = []
        self.started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Start the epoch's clock."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Add a row to either file and send it to the loggers."""
        assert isinstance(module, MeasuringModule)
        row: Row = {
            "epoch": trainer.current_epoch,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            **module.epoch_means(),
            **module.test_numbers(),
            **module.epoch_details(),
        }
        cost: Row = {
            "epoch": trainer.current_epoch,
            "seconds": round(time.monotonic() - self.started, 3),
            "peak_memory_gib": round(peak_memory(module.device), 3),
        }
        self.rows.append(row)
        self.costs.append(cost)
        self.folder.write_text("history.csv", to_csv(self.rows))
        self.folder.write_text("cost.csv", to_csv(self.costs))
        numbers = {shown_as(key): float(value) for key, value in {**row, **cost}.items()}
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=trainer.current_epoch)

    @property
    def seconds(self) -> float:
        """Of all epochs together."""
        return sum(float(cost["seconds"]) for cost in self.costs)

    @property
    def peak_memory_gib(self) -> float:
        """Of all epochs."""
        return max((float(cost["peak_memory_gib"]) for cost in self.costs), default=0.0)

    def state_dict(self) -> dict[str, Any]:
        """Rows so far, in plain types."""
        return {"rows": self.rows, "costs": self.costs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these rows."""
        self.rows, self.costs = list(state_dict["rows"]), list(state_dict["costs"])
