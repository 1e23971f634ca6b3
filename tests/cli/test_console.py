"""What the commands print of data and results."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from modules import search_module

from ltnas.callbacks.progress import ProgressLine
from ltnas.cli.console import make_console, print_long_tail, print_passes, print_results
from ltnas.config import Data, Imbalance, Trainer
from ltnas.data import long_tail
from ltnas.data.images import LabelledImages, Source
from ltnas.data.long_tail import load_long_tail
from ltnas.report import print_rows
from ltnas.reports.row import Row
from ltnas.reports.runs import Run
from ltnas.sweeps.jobs import Job
from ltnas.sweeps.table import Board

NAMES = ("oak [young]", "oak [red]", "oak [/old]", ":dog: [bold]")
"""Names that a console with markup would shorten, replace or refuse."""


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
    console = make_console(Trainer())
    console.width, console.file = 80, io.StringIO()
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


def test_notes_of_the_source_and_images_that_are_left_out_are_told_first(tail):
    told = dataclasses.replace(
        tail(Imbalance("natural"), (3, 2), "ab"), notes=("a first", "a second"), skipped=("x", "y")
    )
    lines = printed(print_long_tail, "title", told)
    assert lines[1:3] == ["note: a first", "note: a second"]
    assert lines[3] == (
        "note: images that could not be read and were left out: 2; skipped_images.txt in the "
        "folder of the result lists them"
    )
    assert lines[4].split()[0] == "a"


def test_a_class_with_too_few_images_is_told_in_one_line(tail):
    name = "a long name of a class, longer than most lines are and more"
    kept = tail(Imbalance("balance"), (90, 10), ("a", name))
    assert printed(print_long_tail, "title", kept)[-1] == (
        f"  note: {name} has 10 of the 50 images that the rule asks for"
    )


# --- names are printed as they are ----------------------------------------------------------------


def test_class_names_are_printed_as_they_are(tail):
    kept = tail(Imbalance("balance"), (40, 40, 30, 10), NAMES)
    _, _, *lines = printed(print_long_tail, "title", kept)
    assert [line[2:13].rstrip() for line in lines[:3]] == list(NAMES[:3])
    assert lines[3].startswith("  :dog: [bold] █")
    assert lines[-1] == "  note: :dog: [bold] has 10 of the 30 images that the rule asks for"


def test_results_are_printed_by_the_names_of_classes(tail):
    keys = ("accuracy", "many", "medium", "few", "macro_accuracy", "macro_f1", "calibration_error")
    report = dict.fromkeys(keys, 0.5) | {"per_class": dict.fromkeys(NAMES, 0.25)}
    lines = printed(print_results, {"[x]": report}, [4, 3, 2, 1])
    assert "[x] test" in lines[1]
    rows = [line.rsplit(maxsplit=2) for line in lines]
    assert [row[0].strip() for row in rows if row[-1] == "25.00"] == list(NAMES)


def test_rows_of_the_report_are_printed_as_they_are(capsys):
    run = Run(Path("run"), "finished", {}, {"data": {"source": "cifar10"}})
    print_rows([Row(name, "exp0.1", (run,), (), {}, repeated=0) for name in NAMES])
    first, *rows = capsys.readouterr().out.splitlines()
    assert first.split() == ["scheme", "imbalance", "seeds", "balanced", "paper", "few"]
    assert [row.rsplit(maxsplit=5)[0] for row in rows] == list(NAMES)


def test_words_of_a_job_are_printed_as_they_are(tmp_path, capsys):
    job = Job(0, [f"data.root='{name}'" for name in NAMES], tmp_path / "0.log", state="running")
    Board([job]).print_state(job)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"job 0 {' '.join(job.overrides)}: running on "


def test_passes_of_each_learner_are_told_in_a_line(capsys):
    print_passes(make_console(Trainer()), "interleaving", {"supernet": 8, "learner_2": 8})
    assert capsys.readouterr().out == (
        "forward passes in a step of interleaving: 8 by supernet, 8 by learner_2 (darts: 2)\n"
    )


@pytest.mark.parametrize("is_terminal", [False, True])
def test_labels_of_the_progress_are_printed_as_they_are(is_terminal):
    class Training:
        is_global_zero, num_training_batches, max_epochs = True, 1, 1

    class Rows:
        rows = ({"accuracy_balanced": 0.5, "train_loss": 1.0},)

    module = search_module()
    console = make_console(Trainer())
    console.width, console.file, console._force_terminal = 120, io.StringIO(), is_terminal
    for name in NAMES:
        line = ProgressLine(console, name, Rows())
        line.on_train_start(Training(), module)
        line.on_train_epoch_end(Training(), module)
        line.on_train_end(Training(), None)
    for name in NAMES:
        assert name in console.file.getvalue()
