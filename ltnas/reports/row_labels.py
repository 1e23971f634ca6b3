"""Labels of the rows of a table, which tell rows of the same scheme and imbalance apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from ltnas.reports.images import Images, any_differ
from ltnas.reports.labels import NOT_SAID, numbered, told_apart
from ltnas.reports.row import Row

Labels = Callable[[Sequence[Row]], list[str]]
"""Function that returns a label for each of several rows."""


def labels(rows: Sequence[Row]) -> list[str]:
    """Return the labels of rows: the recipe, and all that differs within a recipe.

    These are the settings, the source of the genotypes and the images. Labels of rows that nothing
    tells apart are numbered.
    """
    return _grouped(rows, lambda row: (row.scheme, row.imbalance), _within_a_scheme)


def _grouped(rows: Sequence[Row], key: Callable[[Row], Any], label: Labels) -> list[str]:
    """Return the labels that a function gives to the rows of each group, in the order of rows."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[key(row)].append(index)
    result = [""] * len(rows)
    for indices in groups.values():
        words = label([rows[index] for index in indices])
        for index, word in zip(indices, words, strict=True):
            result[index] = word
    return result


def _within_a_scheme(rows: Sequence[Row]) -> list[str]:
    return numbered(_grouped(rows, _recipe, _within_a_recipe))


def _recipe(row: Row) -> str:
    return row.settings.get("recipe", "paper")


def _within_a_recipe(rows: Sequence[Row]) -> list[str]:
    recipe = _recipe(rows[0])
    settings = told_apart([row.settings for row in rows])
    several = len({row.origin for row in rows}) > 1
    images = _grouped(rows, _settings_of_data, _words_of_images)
    parts = (
        [recipe if recipe != "paper" else "", words, row.origin if several else "", data]
        for row, words, data in zip(rows, settings, images, strict=True)
    )
    return [" ".join(filter(None, words)) for words in parts]


def _settings_of_data(row: Row) -> tuple[tuple[str, str], ...]:
    """Return the settings that say which images are loaded, without their path."""
    kept = {key: value for key, value in row.settings.items() if key not in NOT_SAID}
    return tuple(sorted(item for item in kept.items() if item[0].partition(".")[0] == "data"))


def _words_of_images(rows: Sequence[Row]) -> list[str]:
    """Return words that tell apart rows of the same settings of the data but of other images.

    The word is the path of the images if a row has a single one whose images are always the same,
    otherwise the checksum of the subset. All words are empty if all rows have the same images.
    """
    if not any_differ(row.runs[0].images for row in rows):
        return [""] * len(rows)
    images: dict[str, set[Images]] = defaultdict(set)  # path -> images that were read from it
    for row in rows:
        for run in row.runs:
            images[run.settings.get("data.root", "")].add(run.images)

    def word(row: Row) -> str:
        path, *others = {run.settings.get("data.root", "") for run in row.runs}
        if path and not others and not any_differ(images[path]):
            return f"data.root={path}"
        return f"subset={row.runs[0].metrics['data']['subset_checksum']}"

    return [word(row) for row in rows]
