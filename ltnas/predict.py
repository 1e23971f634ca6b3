"""python -m ltnas.predict: classes of images by a trained network.

Reads from top to bottom: network, image files, predictions, table or file.
"""

from __future__ import annotations

if __name__ == "__main__":  # above the other imports, so that --help does not load torch
    from ltnas.cli.command import main

    main("predict")

from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console

from ltnas.cli.console import plain_console
from ltnas.config import PredictConfig
from ltnas.deployment.image_files import image_files
from ltnas.deployment.prediction import Prediction, predictions
from ltnas.deployment.prediction_table import prediction_table, write_csv
from ltnas.deployment.prior_correction import prior_shift
from ltnas.errors import UserError
from ltnas.models.saved import load_network
from ltnas.runs.atomic import atomically
from ltnas.runs.user_paths import expanded, output_file
from ltnas.training.trainer import choose_accelerator

SHOWN = 20
"""Number of files that cannot be read that are printed; a CSV file has all of them."""


def predict(config: PredictConfig) -> Path | None:
    """Predict the classes of image files, and print them or write them to a CSV file.

    Returns:
        The CSV file; None if a table was printed.

    Raises:
        UserError: something that the user can mend, or no file can be read; see its text.
    """
    console = plain_console()
    accelerator = choose_accelerator(config.trainer, "32", compiled=False)
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)

    # The network and the files.
    network = load_network(expanded("run", config.run))
    shift = prior_shift(network, config.prior)
    paths = image_files(config.images)
    network.to("cuda" if accelerator == "gpu" else "cpu")

    # The predictions, which are computed as they are written.
    found = predictions(network, paths, shift=shift, top=config.top, batch_size=config.batch_size)
    if config.out is None:
        shown = list(found)
        _report_broken(console, [one for one in shown if one.error], len(paths))
        console.print(prediction_table(shown))
        return None
    out = output_file("out", config.out)
    top = min(config.top, len(shift))
    _report_broken(console, list(_written(out, found, top)), len(paths))
    return out


def _written(out: Path, found: Iterator[Prediction], top: int) -> Iterator[Prediction]:
    """Write all predictions to a CSV file, and yield those of files that cannot be read."""
    with (
        atomically(out, "predict again") as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        yield from (one for one in write_csv(file, found, top) if one.error)


def _report_broken(console: Console, broken: list[Prediction], files: int) -> None:
    """Print a line for each of the first files that cannot be read.

    Raises:
        UserError: no file can be read.
    """
    more = f" (and {len(broken) - 1} more files)" if len(broken) > 1 else ""
    if len(broken) == files:
        raise UserError(f"{broken[0].error}{more}")
    for one in broken[:SHOWN]:
        console.print(f"left out: {one.error}", soft_wrap=True)
    if len(broken) > SHOWN:
        console.print(f"left out: {len(broken) - SHOWN} more files that cannot be read")
