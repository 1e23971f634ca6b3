"""Completeness of the numbered files that a data set is divided into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ltnas.errors import UserError

NAME = re.compile(r"(?P<prefix>.*-)(?P<number>\d+)-of-(?P<total>\d+)(?P<rest>\D.*)")
"""File name such as `train-00001-of-00003.parquet`; files are numbered from 0."""


class Shard(NamedTuple):
    """One of the files of a data set.

    Args:
        file: path of the file.
        number: number of the file, from 0.
        total: number of all files, by the name of this one.
    """

    file: Path
    number: int
    total: int


def check_shards(files: Sequence[Path]) -> None:
    """Check that files numbered `-NUMBER-of-TOTAL` are complete; other files are not looked at.

    Args:
        files: files of one folder, in sorted order.

    Raises:
        UserError: a number is missing, appears twice or is too large, or totals differ.
    """
    by_prefix: dict[str, list[Shard]] = {}
    for file in files:
        match = NAME.fullmatch(file.name)
        if match is not None:
            shard = Shard(file, int(match["number"]), int(match["total"]))
            by_prefix.setdefault(match["prefix"], []).append(shard)
    for shards in by_prefix.values():
        _check_numbers(shards)


def _check_numbers(shards: list[Shard]) -> None:
    """Raise `UserError` unless the numbers of the files are 0 to total - 1, each once."""
    first, *others = shards
    folder, total = first.file.parent, first.total
    by_number = {first.number: first}
    for shard in others:
        names = f"{first.file.name} and {shard.file.name}"
        if shard.total != total:
            raise UserError(
                f"{folder} has {names}, which contradict each other in the number of files: remove "
                "those that belong to another download"
            )
        if shard.number in by_number:
            same = by_number[shard.number].file.name
            raise UserError(
                f"{folder} has {same} and {shard.file.name}, two files of one number: remove one "
                "of them"
            )
        by_number[shard.number] = shard
    missing = [number for number in range(total) if number not in by_number]
    if missing:
        more = f" and {len(missing) - 1} more of {total} files" if missing[1:] else ""
        raise UserError(f"{folder} has no {_sibling(first, missing[0])}{more}: download it")
    if len(by_number) > total:
        last = by_number[max(by_number)].file.name
        raise UserError(
            f"{folder} has {last}, but files are numbered from 0 to {total - 1}: remove or rename "
            "it"
        )


def _sibling(shard: Shard, number: int) -> str:
    """Return the name of the file with another number; * stands for a checksum in the name."""
    match = NAME.fullmatch(shard.file.name)
    assert match is not None
    rest = match["rest"] if match["rest"].startswith(".") else f"-*{shard.file.suffix}"
    digits = f"{number:0{len(match['number'])}d}"
    return f"{match['prefix']}{digits}-of-{match['total']}{rest}"
