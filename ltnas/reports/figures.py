"""Figures of the page as SVG, in the colours of the page; a pointer at rest tells the numbers."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 10, 24


def colour(index: int) -> str:
    """Of the series with a number; neighbours differ."""
    return f"hsl({(index * 137.5 + 212) % 360:.0f} 58% 52%)"


def lines(series: Mapping[str, Sequence[float]], title: str) -> str:
    """Curves over epochs.

    Args:
        series: name -> shares in [0, 1], one for each epoch.
        title: what the vertical axis is.
    """
    everything = [value for values in series.values() for value in values]
    if not everything:
        return ""
    low, high = min(everything), max(max(everything), min(everything) + 0.05)
    epochs = max(len(values) for values in series.values())

    def place(epoch: int, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * epoch / max(1, epochs - 1)
        return f"{x:.1f} {_height(value, low, high):.1f}"

    drawn = []
    for index, (name, values) in enumerate(series.items()):
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
    """Images of each class.

    Args:
        counts: of the classes, in their order.
        title: of the panel.
    """
    high = max(counts)
    room = (WIDTH - LEFT - RIGHT) / len(counts)
    drawn = "".join(
        f'<rect x="{LEFT + room * label + room * 0.1:.1f}" y="{_height(count, 0, high):.1f}" '
        f'width="{room * 0.8:.1f}" height="{HEIGHT - BOTTOM - _height(count, 0, high):.1f}">'
        f"<title>class {label}: {count:,} images</title></rect>"
        for label, count in enumerate(counts)
    )
    most = f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{high:,}</text>'
    return _figure(drawn + most, title)


def _height(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)


def _grid(low: float, high: float) -> str:
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
    named = html.escape(title)
    return (
        f'<figure><figcaption>{named}</figcaption><svg class="curves" viewBox="0 0 {WIDTH} '
        f'{HEIGHT}" role="img" aria-label="{named}">{drawn}</svg></figure>'
    )


def legend(names: Sequence[str]) -> str:
    """What colour is which series."""
    entries = (
        f'<span><i class="swatch" style="background:{colour(index)}"></i>{html.escape(name)}</span>'
        for index, name in enumerate(names)
    )
    return f'<p class="hint">{" ".join(entries)}</p>'
