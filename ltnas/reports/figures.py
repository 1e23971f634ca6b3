"""Figures of the page as SVG, in the colours of the page; tooltips show the numbers."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 10, 24
MOST_BARS = 100
"""Number of bars that are wide enough to be seen."""


def colour(index: int) -> str:
    """Return the CSS colour of a series by its index; neighbouring indices differ clearly."""
    # The golden angle: successive hues never come close to each other.
    return f"hsl({(index * 137.5 + 212) % 360:.0f} 58% 52%)"


def lines(series: Mapping[str, Sequence[float]], title: str) -> str:
    """Return a figure with one curve over epochs for each series; empty text without values.

    Args:
        series: name of each curve -> values in [0, 1], one for each epoch; a curve without values
            is not drawn, but keeps its colour.
        title: title of the figure, which names the quantity on the vertical axis.
    """
    flat = [value for values in series.values() for value in values]
    if not flat:
        return ""
    # At least five percentage points high, so that noise does not fill the figure.
    low, high = min(flat), max(max(flat), min(flat) + 0.05)
    epochs = max(len(values) for values in series.values())

    def place(epoch: int, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * epoch / max(1, epochs - 1)
        return f"{x:.1f} {_height(value, low, high):.1f}"

    drawn = []
    for index, (name, values) in enumerate(series.items()):
        if not values:
            continue
        # One epoch alone is drawn as a horizontal line.
        points = [*values, *values] if len(values) == 1 else values
        path = "L".join(place(epoch, value) for epoch, value in enumerate(points))
        last = f"{name}: {100 * values[-1]:.2f} % after epoch {len(values)}"
        drawn.append(
            f'<path d="M{path}" stroke="{colour(index)}"><title>{html.escape(last)}</title></path>'
        )
    ends = (
        f'<text x="{LEFT}" y="{HEIGHT - 6}">epoch 1</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">epoch {epochs}</text>'
    )
    return _figure(_grid(low, high) + "".join(drawn) + ends, title)


def bars(counts: Sequence[int], title: str) -> str:
    """Return a bar chart of the number of images of each class.

    More than `MOST_BARS` classes are sorted by size, and a bar is the mean of a range of them.

    Args:
        counts: number of images of each class, [C].
        title: title of the figure.
    """
    named = [(f"class {label}", float(count)) for label, count in enumerate(counts)]
    shown = named if len(counts) <= MOST_BARS else _ranges(counts)
    high = max(counts)
    room = (WIDTH - LEFT - RIGHT) / len(shown)
    drawn = "".join(
        f'<rect x="{LEFT + room * place + room * 0.1:.1f}" y="{_height(count, 0, high):.1f}" '
        f'width="{room * 0.8:.1f}" height="{HEIGHT - BOTTOM - _height(count, 0, high):.1f}">'
        f"<title>{name}: {count:,.0f} images</title></rect>"
        for place, (name, count) in enumerate(shown)
    )
    most = f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{high:,}</text>'
    return _figure(drawn + most, title)


def _ranges(counts: Sequence[int]) -> list[tuple[str, float]]:
    """Return names and mean sizes of `MOST_BARS` ranges of classes, from the largest class on."""
    sizes = sorted(counts, reverse=True)
    edges = [round(len(sizes) * part / MOST_BARS) for part in range(MOST_BARS + 1)]
    return [
        (f"mean of classes {start + 1} to {end} by size", sum(sizes[start:end]) / (end - start))
        for start, end in pairwise(edges)
    ]


def _height(value: float, low: float, high: float) -> float:
    """Return the y coordinate of a value; low lies at the bottom and high at the top."""
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)


def _grid(low: float, high: float) -> str:
    """Return five horizontal lines with their values in per cent."""
    drawn = []
    for step in range(5):
        value = low + (high - low) * step / 4
        y = _height(value, low, high)
        drawn.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">{100 * value:.1f}</text>'
        )
    return "".join(drawn)


def _figure(drawn: str, title: str) -> str:
    caption = html.escape(title)
    return (
        f'<figure><figcaption>{caption}</figcaption><svg class="curves" viewBox="0 0 {WIDTH} '
        f'{HEIGHT}" role="img" aria-label="{caption}">{drawn}</svg></figure>'
    )


def legend(names: Sequence[str]) -> str:
    """Return a legend of the series with these names, in the colours of their indices."""
    entries = (
        f'<span><i class="swatch" style="background:{colour(index)}"></i>{html.escape(name)}</span>'
        for index, name in enumerate(names)
    )
    return f'<p class="hint">{" ".join(entries)}</p>'
