"""What the commands print of data and results."""

import io

import numpy as np
import pytest
import torch
from rich.console import Console

from ltnas.cli.console import print_long_tail
from ltnas.config import Data, Imbalance
from ltnas.data import long_tail
from ltnas.data.images import LabelledImages, Source
from ltnas.data.long_tail import load_long_tail


@pytest.fixture
def tail(monkeypatch):
    """Function that returns the long-tailed set of a source with given counts and names."""

    def _tail(imbalance, counts, names):
        labels = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
        part = LabelledImages(torch.zeros(len(labels), 3, 2, 2, dtype=torch.uint8), labels)
        source = Source(part, part, tuple(names))
        monkeypatch.setattr(long_tail, "load_source", lambda data: source)
        return load_long_tail(Data("digits"), imbalance)

    return _tail


def printed(write, *arguments):
    """Return the lines that a function writes to a console of 80 columns."""
    console = Console(width=80, file=io.StringIO(), highlight=False)
    write(console, *arguments)
    return console.file.getvalue().splitlines()


def test_dropped_images_of_a_long_tailed_source_are_told_first(tail):
    kept = tail(Imbalance("exp", 0.1), (110, 60, 20, 10), "abcd")
    title, note, *bars = printed(print_long_tail, "folder exp0.1", kept)
    assert title.startswith("folder exp0.1: 88 training images, subset ")
    assert note == (
        "note: imbalance=exp0.1 keeps 88 of 200 training images; imbalance=natural keeps all"
    )
    assert [line.split()[0] for line in bars] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("imbalance", "counts"), [("natural", (110, 60, 20, 10)), ("exp", (50, 50, 50, 50))]
)
def test_nothing_is_told_of_what_is_as_wanted(tail, imbalance, counts):
    kept = tail(Imbalance(imbalance, 0.1 if imbalance == "exp" else None), counts, "abcd")
    assert not [line for line in printed(print_long_tail, "title", kept) if "note" in line]


def test_a_class_with_too_few_images_is_told_in_one_line(tail):
    name = "a long name of a class, longer than most lines are and more"
    kept = tail(Imbalance("balance"), (90, 10), ("a", name))
    assert printed(print_long_tail, "title", kept)[-1] == (
        f"  note: {name} has 10 of the 50 images that the rule asks for"
    )
