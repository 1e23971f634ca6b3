"""Identity of the images of a run, as far as its version has written it to metrics.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from ltnas.data.test_sets import BALANCED, all_images

Values = Sequence[str | None]
"""Values that identify images, None where they are not known."""


class Images(NamedTuple):
    """Values that identify the training and test images of a run, wherever they were read from.

    All but `tests` are JSON texts of entries of `data` in metrics.json; None if there is none.
    """

    tests: str = BALANCED
    """Name of the set of all test images: `balanced`, or `test` if they are not balanced."""
    subset_checksum: str | None = None
    checksum: str | None = None
    test_checksum: str | None = None
    classes: str | None = None
    test_images: str | None = None

    @property
    def independent_of_imbalance(self) -> Values:
        """Values that are equal for runs on one data set at all imbalances."""
        return self.tests, self.test_checksum, self.classes, self.test_images


NOT_KNOWN = Images()
"""Images of a run that has no result."""


def images_of(metrics: dict[str, Any]) -> Images:
    """Return the identity of the images of a result."""
    # A search has no test reports, but accuracies of its supernet with the same names.
    tests, accuracies = (metrics.get(key) for key in ("test", "supernet_accuracy"))
    names = list(tests) if isinstance(tests, dict) else []
    columns = list(accuracies) if isinstance(accuracies, dict) else []
    all_names = [*names, *(column.removeprefix("accuracy_") for column in columns)]
    data = metrics["data"]
    values = {key: json.dumps(data[key]) for key in Images._fields[1:] if data.get(key) is not None}
    return Images(all_images(all_names), **values)


def differ(first: Values, second: Values) -> bool:
    """Return True if a value is known of both and not equal."""
    pairs = zip(first, second, strict=True)
    return any(a != b for a, b in pairs if a is not None and b is not None)


def any_differ(images: Iterable[Values]) -> bool:
    """Return True if any two of the images differ."""
    return any(differ(first, second) for first, second in combinations(set(images), 2))


def completed(images: Images, others: Iterable[Images]) -> Images:
    """Return images with the missing values that the other images do not contradict.

    Args:
        images: identity of the images of a run.
        others: identities of images of runs that are equal to this run otherwise. A value is taken
            from those of them that do not differ from `images`, if they agree on it.
    """
    alike = [other for other in others if not differ(images, other)]
    missing = [key for key, value in images._asdict().items() if value is None]
    known = {key: {getattr(other, key) for other in alike} - {None} for key in missing}
    return images._replace(
        **{key: values.pop() for key, values in known.items() if len(values) == 1}
    )
