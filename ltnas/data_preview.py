"""python -m ltnas.data: show what a run would read, without a run.

Reads from top to bottom: data set, description, positions of the images, contact sheet.
"""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from ltnas.cli.console import plain_console, print_long_tail
from ltnas.config import CrossEntropy, Data, PreviewConfig
from ltnas.data.long_tail import LongTail, load_long_tail
from ltnas.data.placement import chosen_placement
from ltnas.data.seeds import generator
from ltnas.data.skipped import write_skipped
from ltnas.data.test_sets import title
from ltnas.data.training_subset import write_indices
from ltnas.errors import UserError
from ltnas.objectives.build import build_views
from ltnas.plots.contact_sheet import SheetRow, plot_contact_sheet
from ltnas.runs.folder import open_folder
from ltnas.runs.user_paths import expanded


def preview(config: PreviewConfig) -> Path:
    """Print what a run would read, and draw images of each class.

    Returns:
        The folder of the contact sheet.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    console = plain_console()
    folder = open_folder(config.out)
    long_tail = load_long_tail(config.data, config.imbalance)
    print_long_tail(console, f"{config.data.title} {config.imbalance.name}", long_tail)
    write_skipped(folder, long_tail)
    _print_sets(console, config.data, long_tail)
    if config.indices is not None:
        _write_indices(config.indices, long_tail)
        console.print(f"positions of the training images: {config.indices}", soft_wrap=True)
    plot_contact_sheet(folder, _sheet(config, long_tail))
    return folder.path


def _print_sets(console: Console, data: Data, long_tail: LongTail) -> None:
    """Print size and place of all images, and the constants of their channels."""
    tests = long_tail.test_sets
    counts = {title(tests.name): len(long_tail.test)}
    if tests.long_tailed is not None:
        counts["long-tailed test"] = len(tests.long_tailed)
    if long_tail.validation is not None:
        counts["validation"] = len(long_tail.validation)
    console.print(", ".join(f"{name}: {count:,} images" for name, count in counts.items()))
    sets = [long_tail.train, long_tail.test, *filter(None, [long_tail.validation])]
    (height, width), size = long_tail.train.size, sum(part.bytes for part in sets)
    height_seen, width_seen = long_tail.view_size
    seen = "" if long_tail.normalisation.side is None else f", seen at {width_seen}x{height_seen}"
    place = chosen_placement(data.placement, sets, torch.device("cpu"))
    words = {"device": "in memory", "host": "read from the disk batch by batch"}[place]
    console.print(f"{width}x{height} pixels{seen}, {size / 2**20:,.1f} MiB, on a CPU {words}")
    mean, std = (
        ", ".join(f"{value:.4f}" for value in values)
        for values in (long_tail.normalisation.mean, long_tail.normalisation.std)
    )
    console.print(f"mean of the channels {mean}; standard deviation {std}", soft_wrap=True)


def _write_indices(file: str, long_tail: LongTail) -> None:
    """Write the positions of the training images and of those for validation.

    Raises:
        UserError: the file cannot be written.
    """
    path = expanded("indices", file)
    try:
        write_indices(path, long_tail.train_indices, long_tail.validation_indices)
    except OSError as error:
        raise UserError(
            f"indices={file} cannot be written ({error.strerror}): choose another path"
        ) from error


def _sheet(config: PreviewConfig, long_tail: LongTail) -> list[SheetRow]:
    """Return the rows of the contact sheet: the first image of some classes, and views of it."""
    (view,) = build_views(CrossEntropy(), config.data, long_tail.normalisation)
    chosen = range(0, len(long_tail.classes), -(-len(long_tail.classes) // config.rows))
    sheet = []
    for label in chosen:
        position = (long_tail.train.labels == label).nonzero()[:1, 0]
        image = long_tail.train.take(position)  # [1, 3, H, W]
        random = torch.rand(config.views, view.draws, generator=generator(config.seed, label))
        plain = long_tail.normalisation.standardise_bytes(image)
        views = torch.cat([plain, view(image.expand(config.views, -1, -1, -1), random)])
        name = f"{long_tail.classes[label]} ({long_tail.counts[label]:,})"
        sheet.append(SheetRow(name, _pixels(views, long_tail)))
    return sheet


def _pixels(views: Tensor, long_tail: LongTail) -> Tensor:
    """Return standardised views [B, 3, H, W] as pixels in [0, 1], [B, H, W, 3]."""
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in (long_tail.normalisation.mean, long_tail.normalisation.std)
    )
    return (views * std + mean).clamp(0, 1).permute(0, 2, 3, 1)
