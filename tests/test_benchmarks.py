"""What the benchmarks compare is the same computation; those in the documents run."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import torch
from conftest import REPOSITORY
from documents import commands

sys.path.append(str(REPOSITORY))

from benchmarks.search_step import CLASSES, DEFAULTS, build, last, twice
from ltnas.data.stream import Batch

BENCHMARKS = {
    "search_step": "batch=4 channels=4 cells=1 repeats=1",
    "retrain_step": "batch=4 channels=4 cells=3 repeats=2",
    "loss_curve": "epochs=1 steps=2 batch=4 channels=4 cells=1",
    "profile_step": "batch=4 channels=4 cells=1",
    "launches": "batch=2 channels=4 cells=1",
    "report": "runs=12",
    "startup": "repeats=1",
    "overhead": "channels=4 cells=3 steps=2 epochs=2 starts=1",
}
"""Sizes that tests can afford; the last word for a key counts."""


def test_two_searches_in_float64_stay_together():
    """In float32 rounding grows fivefold a step."""
    plain, ours = build("darts", {**DEFAULTS, "channels": "4", "cells": "3"})
    plain.model.double()
    ours.double().learner.to(memory_format=torch.channels_last)
    torch.manual_seed(1)
    before = [x.detach().clone() for x in plain.architecture]
    for _ in range(12):
        architecture, weights = (
            Batch((torch.randn(8, 3, 16, 16).double(),), torch.randint(CLASSES, (8,))) for _ in "ab"
        )
        plain.architecture_step(architecture)
        loss = plain.weight_step(weights)
        ours.architecture_step(twice(last(architecture)))
        notes = ours.weight_step(last(weights))
        assert abs(loss - float(notes["train_loss"])) < 1e-6
    pairs = zip(before, plain.architecture, ours.network.architecture.values(), strict=True)
    for start, theirs, own in pairs:
        assert (theirs - own).abs().max() < 1e-12
        assert (theirs - start).abs().max() > 1e-4


def longtail(tmp_path):
    sizes = "data=digits imbalances=exp0.1 seeds=2 epochs=1 steps=1 width=2 jobs=1"
    words = (*sizes.split(), f"runs={tmp_path}/runs", f"out={tmp_path}/out")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.longtail", "methods=LDAM-DRW", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((tmp_path / "out" / "longtail-cpu.json").read_text())["rows"]


def test_a_study_of_methods_goes_on_where_it_was_cut_off(tmp_path):
    first, rows = longtail(tmp_path)
    assert first.count(" seed ") == 2
    (row,) = rows
    assert (row["method"], row["seeds"]) == ("LDAM-DRW", [0, 1])
    assert row["mean"]["accuracy"] == pytest.approx(sum(row["accuracies"]) / 2, abs=1e-4)
    assert row["deviation"]["few"] >= 0
    assert f"{100 * row['mean']['few']:.1f} ±" in first
    (lost,) = (tmp_path / "runs" / "exp0.1" / "LDAM-DRW" / "1").glob("*/metrics.json")
    lost.unlink()
    second, again = longtail(tmp_path)
    assert second.count(" seed ") == 1
    assert [row["mean"] for row in again] == [row["mean"] for row in rows]


@pytest.mark.parametrize(
    "command", [one for one in commands() if "-m benchmarks." in one.values[0]]
)
def test_documented_benchmark(command):
    words = shlex.split(command)
    sizes = BENCHMARKS[words[2].removeprefix("benchmarks.")].split()
    done = subprocess.run(
        [sys.executable, *words[1:], *sizes],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search("ours|--help ms|[0-9] s|[0-9] operations", done.stdout)
