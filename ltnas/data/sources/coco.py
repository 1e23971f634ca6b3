"""Lists of images in the JSON format of COCO, as those of iNaturalist (Van Horn et al. 2018)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ltnas.data.sources.rows import Row, Rows, read_text
from ltnas.errors import UserError


def coco_rows(file: Path) -> Rows:
    """Read `images`, `annotations` and `categories`; ids may be any numbers.

    Without annotations, as for the test images of a challenge, there are no rows.

    Raises:
        UserError: the file is damaged or of another kind, or an image has several categories.
    """
    try:
        content = json.loads(read_text(file))
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        pairs = [
            (annotation["image_id"], str(annotation["category_id"]))
            for annotation in content.get("annotations", [])
        ]
        categories = {
            str(entry["id"]): str(entry.get("name", entry["id"]))
            for entry in content.get("categories", [])
        }
        # An object detection set may have several annotations of one category in an image.
        labels = _one_each(file, names, list(dict.fromkeys(pairs)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"list {file} cannot be read ({type(error).__name__}: {error}): it needs images, "
            "annotations and categories as COCO and iNaturalist have them"
        ) from error
    rows = [Row(name, labels[key]) for key, name in names.items() if key in labels]
    return Rows(rows, _different(categories))


def _one_each(file: Path, names: dict[Any, str], pairs: list[tuple[Any, str]]) -> dict[Any, str]:
    """Return the category of each image."""
    (image, count), *_ = Counter(image for image, _ in pairs).most_common(1) or [(None, 0)]
    if count > 1:
        raise UserError(
            f"list {file} gives {names[image]} {count} categories: an image must have one; data "
            "sets of objects in images are not for classification"
        )
    return dict(pairs)


def _different(categories: dict[str, str]) -> dict[str, str]:
    """Return the names of the categories; those that have one name are told apart by their ids."""
    counts = Counter(categories.values())
    return {
        key: name if counts[name] == 1 else f"{name} ({key})" for key, name in categories.items()
    }
