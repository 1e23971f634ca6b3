"""Heat map of zero-shot pruning."""

import math

from matplotlib.patches import Rectangle

from ltnas.plots.pruning import draw

ROWS = [
    {"cell": kind, "node": 2, "source": source, "operation": name, "win_rate": rate, "kept": kept}
    for kind in ("normal", "enhancement")
    for source in (0, 1)
    for name, rate, kept in (
        ("none", None, False),
        ("skip_connect", 0.25, False),
        ("sep_conv_3x3", 0.75, source == 0 or kind == "normal"),
    )
]


def test_squares_have_the_win_rates_and_frames_are_around_kept_operations():
    figure = draw(ROWS)
    normal, enhancement = figure.axes[:2]
    assert [panel.get_title(loc="left") for panel in (normal, enhancement)] == [
        "normal cell",
        "enhancement cell",
    ]
    values = normal.images[0].get_array().data
    assert all(math.isnan(value) for value in values[:, 0])
    assert values[:, 1:].tolist() == [[0.25, 0.75]] * 2
    frames = [
        [patch for patch in panel.patches if isinstance(patch, Rectangle)]
        for panel in (normal, enhancement)
    ]
    assert [len(found) for found in frames] == [2, 1]
    # The frame lies within the square of the third operation of the first edge.
    (frame,) = frames[1]
    assert 1.5 < frame.get_x() < frame.get_x() + frame.get_width() < 2.5
    assert -0.5 < frame.get_y() < frame.get_y() + frame.get_height() < 0.5
