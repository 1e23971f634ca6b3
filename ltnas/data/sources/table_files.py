"""Files of a data set as the Hugging Face hub hands them out, by split."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ltnas.data.listing import SPLITS
from ltnas.data.sources.litter import files_below
from ltnas.data.sources.shards import check_shards
from ltnas.data.sources.split_names import is_partial, split_of
from ltnas.data.sources.tables import SUFFIXES
from ltnas.errors import UserError


class Place(NamedTuple):
    """Place of a file.

    Args:
        split: split that the names of the file and its folders stand for; None if none does.
        subset: folders above the one that names the split; several of them are several data sets.
        partial: the names say that the file is not the whole split.
    """

    split: str | None
    subset: Path
    partial: bool


class TableFiles(NamedTuple):
    """Files of a data set.

    Args:
        splits: files of each split.
        others: files that belong to no split.
        partial: files that are left out because others hold the whole split.
    """

    splits: dict[str, list[Path]]
    others: list[Path]
    partial: list[Path]


def table_files(folder: Path) -> TableFiles:
    """Return the files of each split, and those that are left out.

    Names such as `data/train-00000-of-00002.parquet`, `default/train/0000.parquet` and
    `train/data-00000-of-00001.arrow` tell the split. If no name does, all files are for training.

    Args:
        folder: folder of the files, at any depth.

    Raises:
        UserError: there is no file for training, a numbered file is missing, the folder holds
            several data sets, or only the beginning of a split.
    """
    if not folder.is_dir():
        raise UserError(f"data.root={folder} is not a folder: set the one with train-*.parquet")
    files = _tables(folder)
    places = {file: _place(folder, file) for file in files}
    if files and not any(place.split for place in places.values()):
        _check_complete(files)
        return TableFiles({"train": files}, [], [])
    whole = {file: place for file, place in places.items() if not place.partial}
    partial = {file: place for file, place in places.items() if place.partial}
    by_split = {
        split: [file for file, place in whole.items() if place.split == split] for split in SPLITS
    }
    splits = {split: part for split, part in by_split.items() if part}
    _check_whole(folder, splits, partial)
    _check_one(folder, [place for place in whole.values() if place.split == "train"])
    for part in splits.values():
        _check_complete(part)
    others = [file for file, place in whole.items() if place.split is None]
    return TableFiles(splits, others, list(partial))


def _check_one(folder: Path, train: Sequence[Place]) -> None:
    """Raise `UserError` unless the files for training are those of one data set."""
    subsets = sorted({str(place.subset) for place in train})
    if not subsets:
        raise UserError(f"data.root={folder} has no train-*.parquet: set the folder that has it")
    if len(subsets) > 1:
        raise UserError(
            f"data.root={folder} has several data sets, {', '.join(subsets)}: set the folder of one"
        )


def _check_whole(
    folder: Path, splits: Mapping[str, Sequence[Path]], partial: Mapping[Path, Place]
) -> None:
    """Raise `UserError` if there is only the beginning of a split."""
    for file, place in partial.items():
        if place.split is not None and place.split not in splits:
            raise UserError(
                f"{folder} has only a part of the {place.split} split "
                f"({file.relative_to(folder)}), as the hub converts splits above 5 GB: download "
                "the files of the whole data set, and use data=folder or data=parquet"
            )


def _tables(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder, or else the Arrow files."""
    kept, _ = files_below(folder)
    for suffix in SUFFIXES:
        files = [file for file in kept if file.suffix == suffix and _is_part(file)]
        if files:
            return files
    return []


def _is_part(file: Path) -> bool:
    """Return False for Arrow files that are not of the data set saved in their folder.

    `save_to_disk` lists its files in state.json. Beside them, caches of `map` may lie.
    """
    state = _state(file.parent) if file.suffix == ".arrow" else {}
    names = [part.get("filename") for part in state.get("_data_files") or []]
    return not names or file.name in names


def _state(folder: Path) -> dict[str, Any]:
    """Return the content of state.json, which describes a saved data set; {} if there is none."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _place(folder: Path, file: Path) -> Place:
    """Return the place of a file: its own name decides, else the nearest folder with a split."""
    parts = [*file.relative_to(folder).parent.parts, file.stem]
    partial = any(map(is_partial, parts))
    for depth in reversed(range(len(parts))):
        split = split_of(parts[depth])
        if split is not None:
            return Place(split, Path(*parts[:depth]), partial)
    split = split_of(str(_state(file.parent).get("_split") or ""))
    return Place(split, Path(*parts[:-1]), partial)


def _check_complete(files: Sequence[Path]) -> None:
    for _, part in itertools.groupby(files, lambda file: file.parent):
        check_shards(list(part))
