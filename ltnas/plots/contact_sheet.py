"""Images of each class as they are, and as a training sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from ltnas.plots.figure import FAINT, INK, new_figure, save
from ltnas.runs.folder import RunFolder

FILE = "contact_sheet.png"


class SheetRow(NamedTuple):
    """Images of one class.

    Args:
        label: name of the class and number of its images.
        images: the image as it is, then views of it, pixels in [0, 1], [B, H, W, 3].
    """

    label: str
    images: Tensor


def plot_contact_sheet(folder: RunFolder, rows: Sequence[SheetRow]) -> None:
    """Draw contact_sheet.png, one row a class.

    Args:
        folder: folder that the picture is written to.
        rows: images of each class; all rows have equally many.
    """
    columns = len(rows[0].images)
    figure = new_figure(2.0 + 0.8 * columns, 0.6 + 0.8 * len(rows))
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for row, line in zip(rows, panels, strict=True):
        for image, panel in zip(row.images, line, strict=True):
            panel.imshow(image.numpy(), interpolation="nearest")
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_color(FAINT)
        # Names of classes may be long; the middle of one says least.
        name = row.label if len(row.label) <= 28 else f"{row.label[:12]}…{row.label[-14:]}"
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", color=INK)
    panels[0][0].set_title("stored", color=INK, fontsize=9)
    panels[0][min(1, columns - 1)].set_title("as seen", color=INK, fontsize=9)
    save(figure, folder, FILE)
