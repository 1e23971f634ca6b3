"""Notes on images that are all equal, as a conversion that went wrong leaves them."""

from __future__ import annotations

from torch import Tensor

from ltnas.data.images import LabelledImages

PART = 64
"""Number of images that are compared at a time."""


def notes_on_equal_images(data: LabelledImages, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return a note if all images, or all of some classes, have the same pixels.

    Of classes whose first two images differ, no others are read.

    Args:
        data: training images.
        classes: names of the classes, in the order of their numbers.
    """
    order = data.labels.argsort(stable=True)
    counts = data.labels.bincount(minlength=len(classes)).tolist()
    members = dict(zip(classes, order.split(counts), strict=True))
    equal = [name for name, rows in members.items() if len(rows) > 1 and _are_equal(data, rows)]
    firsts = [rows[0] for rows in members.values() if len(rows)]
    all_of_classes = len(data) > 1 and len(equal) == sum(count > 1 for count in counts)
    if all_of_classes and _are_equal(data, order.new_tensor(firsts)):
        return (f"all {len(data):,} training images are equal: check the files",)
    if not equal:
        return ()
    more = ", ..." if equal[3:] else ""
    noun = "class" if len(equal) == 1 else f"{len(equal)} classes"
    return (f"all training images of {noun} {', '.join(equal[:3])}{more} are equal: check them",)


def _are_equal(data: LabelledImages, rows: Tensor) -> bool:
    """Return True if the images at some positions have the same pixels."""
    first = data.take(rows[:1])
    # The second image alone decides nearly always.
    return all(
        bool((data.take(part) == first).all()) for part in (rows[1:2], *rows[2:].split(PART))
    )
