"""Lines about classes on the console: one for each of a few classes, groups of many."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from ltnas.data.test_sets import Groups

MOST = 20
"""Number of classes up to which each has a line of its own, and the most bars of a chart."""
SHOWN = 5
"""Number of classes shown at each end if there are more than `MOST`."""
BAR = 36
"""Width of the longest bar, characters."""


def count_bars(
    names: Sequence[str], counts: Sequence[int], groups: Groups, block: str = "█"
) -> list[str]:
    """Return a bar chart of the number of training images, with at most `MOST` bars.

    Args:
        names: names of the classes, C of them.
        counts: number of images of each class, [C].
        groups: class numbers of each shot group.
        block: character that bars are made of.
    """
    group_of = {label: group for group, labels in groups.items() for label in labels}
    if len(names) > MOST:
        return _bars_of_ranges(counts, group_of, block)
    width = max(len(name) for name in names)
    return [
        f"{name:<{width}} {_bar(count, max(counts), block)} {count:,} {group_of[label]}"
        for label, (name, count) in enumerate(zip(names, counts, strict=True))
    ]


def _bars_of_ranges(counts: Sequence[int], group_of: Mapping[int, str], block: str) -> list[str]:
    """Return one bar for each range of classes in the order of their sizes."""
    order = sorted(range(len(counts)), key=lambda label: (-counts[label], label))
    edges = [round(len(order) * part / MOST) for part in range(MOST + 1)]
    width = 2 * len(str(len(order))) + 1
    lines = [f"{len(counts):,} classes in the order of their sizes; a bar is the mean of its range"]
    for start, end in itertools.pairwise(edges):
        members = order[start:end]
        sizes = [counts[label] for label in members]
        words = ", ".join(dict.fromkeys(group_of[label] for label in members))
        span = f"{sizes[0]:,}" if sizes[0] == sizes[-1] else f"{sizes[0]:,} to {sizes[-1]:,}"
        bar = _bar(sum(sizes) / len(sizes), max(counts), block)
        lines.append(f"{f'{start + 1}-{end}':<{width}} {bar} {span} {words}")
    return lines


def _bar(count: float, largest: int, block: str) -> str:
    return block * max(1, round(BAR * count / largest))


def shortage_notes(names: Sequence[str], counts: Sequence[int], wanted: Sequence[int]) -> list[str]:
    """Return notes on classes that have fewer images than the imbalance rule asks for.

    Args:
        names: names of the classes, C of them.
        counts: number of images of each class, [C].
        wanted: number of images that the rule asks for, [C].
    """
    lines = [
        f"{name} has {count} of the {asked} images that the rule asks for"
        for name, count, asked in zip(names, counts, wanted, strict=True)
        if count < asked
    ]
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], f"and {more} more such classes"] if more > 0 else lines


def sections(accuracies: Mapping[str, float | None]) -> list[tuple[str, list[str]]]:
    """Return the classes to show in a table of results: headings with names of classes.

    Without a heading all classes in their order if there are few of them; else the worst ones,
    and the best ones from the best on. Classes of equal accuracy keep their order.

    Args:
        accuracies: name of each class -> accuracy; None for a class without test images.
    """
    if len(accuracies) <= MOST:
        return [("", list(accuracies))]
    known = {name: value for name, value in accuracies.items() if value is not None}
    worst = sorted(known, key=lambda name: known[name])[:SHOWN]
    best = sorted(known, key=lambda name: -known[name])[:SHOWN]
    return [
        (f"worst of {len(accuracies):,} classes", worst),
        (f"best of {len(accuracies):,} classes", best),
    ]
