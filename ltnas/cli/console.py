"""Console output of the commands: class counts as bars, results as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ltnas.cli.class_lists import count_bars, sections, shortage_notes
from ltnas.cli.encoding import first_encodable
from ltnas.data.test_sets import all_images, headline, title
from ltnas.distributed.processes import rank

if TYPE_CHECKING:
    from ltnas.config import Trainer
    from ltnas.data.long_tail import LongTail


def plain_console(*, quiet: bool = False, stderr: bool = False) -> Console:
    """Return a console without markup, emoji codes or highlighting.

    Names of classes and paths are data, and may contain `[red]` or `:dog:`, which rich would take
    for a style and a picture.

    Args:
        quiet: print nothing.
        stderr: write to stderr instead of stdout.
    """
    return Console(quiet=quiet, stderr=stderr, markup=False, emoji=False, highlight=False)


def make_console(trainer: Trainer) -> Console:
    """Return a console that prints only in the first process of a run."""
    return plain_console(quiet=rank(trainer.processes) > 0)


def print_long_tail(console: Console, heading: str, long_tail: LongTail) -> None:
    """Print class counts as a bar chart, and notes on images dropped and classes cut short.

    Args:
        console: console to print to.
        heading: first words of the output.
        long_tail: long-tailed training set and its description.
    """
    names, counts = long_tail.classes, long_tail.counts
    console.print(f"{heading}: {sum(counts):,} training images, subset {long_tail.checksum}")
    if long_tail.validation is not None:
        console.print(f"  {len(long_tail.validation):,} further images for validation")
    for note in long_tail.notes:
        console.print(f"note: {note}", soft_wrap=True)
    if long_tail.skipped:
        console.print(
            f"note: images that could not be read and were left out: {len(long_tail.skipped):,}; "
            "skipped_images.txt in the folder of the result lists them",
            soft_wrap=True,
        )
    if long_tail.shortens_tail:
        kept, available = sum(counts), sum(long_tail.available)
        console.print(
            f"note: imbalance={long_tail.imbalance} keeps {kept:,} of {available:,} training "
            "images; imbalance=natural keeps all",
            soft_wrap=True,
        )
    print_part(console, long_tail)
    block = first_encodable(console.encoding, "█", "#")
    for line in count_bars(names, counts, long_tail.groups, block):
        console.print(f"  {line}")
    for note in shortage_notes(names, counts, long_tail.wanted):
        console.print(f"  note: {note}", soft_wrap=True)


def print_part(console: Console, long_tail: LongTail) -> None:
    """Print a note if a run tests on a part of the test images only."""
    if long_tail.tested is not None:
        console.print(
            f"note: limit_test_batches tests on {len(long_tail.tested):,} of "
            f"{len(long_tail.test.labels):,} test images: accuracies are estimates",
            soft_wrap=True,
        )


def print_passes(console: Console, scheme: str, passes: Mapping[str, int]) -> None:
    """Print how much a step of a search with several learners computes.

    Args:
        console: console to print to.
        scheme: name of the scheme.
        passes: number of forward passes through each learner in a step.
    """
    parts = ", ".join(f"{count} by {name}" for name, count in passes.items())
    console.print(f"forward passes in a step of {scheme}: {parts} (darts: 2)", soft_wrap=True)


def percent(value: float | None) -> str:
    """Return a value in [0, 1] as a percentage; - if it is not known."""
    return "-" if value is None else f"{100 * value:.2f}"


def print_results(console: Console, reports: dict[str, Any], counts: list[int]) -> None:
    """Print the accuracy on each test set: overall, by group of classes, and by class.

    Of more than twenty classes the worst and the best are printed. The first line is the number
    that ranks results on the set of all test images.

    Args:
        console: console to print to.
        reports: test report by test set, as in metrics.json.
        counts: number of training images of each class, [C].
    """
    table = Table(title="accuracy and more, %", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("training images", justify="right")
    for name in reports:
        table.add_column(title(name), justify="right")

    def row(label: str, images: str, *values: float | None, style: str = "") -> None:
        table.add_row(label, images, *(percent(value) for value in values), style=style)

    rows = list(reports.values())
    first, images = headline(all_images(reports)), f"{sum(counts):,}"
    if first != "accuracy":
        row("macro accuracy", images, *(report[first] for report in rows), style="bold")
    everything = ("all", images) if first == "accuracy" else ("all test images", "")
    bold = "bold" if first == "accuracy" else ""
    row(*everything, *(report["accuracy"] for report in rows), style=bold)
    for group in ("many", "medium", "few"):
        row(f"{group}-shot", "", *(report[group] for report in rows))
    images_of = dict(zip(rows[0]["per_class"], counts, strict=True))
    for heading, names in sections(rows[0]["per_class"]):
        if heading:
            row(heading, "", style="bold")
        for name in names:
            row(
                f"  {name}", f"{images_of[name]:,}", *(report["per_class"][name] for report in rows)
            )
    for key in ("macro_accuracy", "macro_f1", "calibration_error"):
        if key == first:  # it is the first line
            continue
        label = key.replace("_", " ").replace("f1", "F1")
        row(label, "", *(report[key] for report in rows))
    console.print(table)
