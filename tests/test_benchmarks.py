"""What the benchmarks compare is the same computation; those in the documents run."""

import json
import os
import re
import shlex
import sys

import pytest
import torch
from conftest import REPOSITORY
from documents import commands

sys.path.append(str(REPOSITORY))

from benchmarks.search_step import CLASSES, DEFAULTS, build, last, twice
from ltnas.data.stream import Batch

pytestmark = pytest.mark.usefixtures("unrendered")

BENCHMARKS = {
    "search_step": "batch=4 channels=4 cells=1 repeats=1",
    "retrain_step": "batch=4 channels=4 cells=3 repeats=2",
    "loss_curve": "epochs=1 steps=2 batch=4 channels=4 cells=1",
    "profile_step": "batch=4 channels=4 cells=1",
    "launches": "batch=2 channels=4 cells=1",
    "report": "runs=12",
    "scheme_cost": "scheme=darts,gdas batch=2 channels=4 cells=1 repeats=1",
    "startup": "repeats=1",
    "large_data": "images=600 side=80 classes=4 steps=2 batch=8 repeats=1",
    "stem_step": "side=64 batch=2 channels=4 cells=1 repeats=1",
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
    for _ in range(6):
        architecture, weights = (
            Batch((torch.randn(8, 3, 8, 8).double(),), torch.randint(CLASSES, (8,))) for _ in "ab"
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


@pytest.fixture
def run(commands):
    """Run `python -m MODULE WORDS` in the repository."""
    return lambda module, *words: commands.run(module, words, REPOSITORY)


@pytest.fixture
def gpu_kernels(commands):
    """Run the benchmark of the GPU kernels with these words and environment variables."""
    return lambda *words, **environment: commands.run(
        "benchmarks.gpu_kernels", words, REPOSITORY, env={**os.environ, **environment}
    )


def longtail(run, tmp_path):
    sizes = "data=digits imbalances=exp0.1 seeds=2 epochs=1 steps=1 width=2 jobs=1"
    words = (*sizes.split(), f"runs={tmp_path}/runs", f"out={tmp_path}/out")
    done = run("benchmarks.longtail", "methods=LDAM-DRW", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((tmp_path / "out" / "longtail-cpu.json").read_text())["rows"]


def test_a_study_of_methods_goes_on_where_it_was_cut_off(run, tmp_path):
    first, rows = longtail(run, tmp_path)
    assert first.count(" seed ") == 2
    (row,) = rows
    assert (row["method"], row["seeds"]) == ("LDAM-DRW", [0, 1])
    assert row["mean"]["accuracy"] == pytest.approx(sum(row["accuracies"]) / 2, abs=1e-4)
    assert row["deviation"]["few"] >= 0
    assert f"{100 * row['mean']['few']:.1f} ±" in first
    (lost,) = (tmp_path / "runs" / "exp0.1" / "LDAM-DRW" / "1").glob("*/metrics.json")
    lost.unlink()
    second, again = longtail(run, tmp_path)
    assert second.count(" seed ") == 1
    assert [row["mean"] for row in again] == [row["mean"] for row in rows]


@pytest.mark.parametrize(
    "command", [one for one in commands() if "-m benchmarks." in one.values[0]]
)
def test_documented_benchmark(run, command):
    _, _, module, *words = shlex.split(command)
    sizes = BENCHMARKS[module.removeprefix("benchmarks.")].split()
    done = run(module, *words, *sizes)
    assert done.returncode == 0, done.stderr
    assert re.search("ours|--help ms|[0-9] s|[0-9] operations|ratio of|beside darts", done.stdout)


@pytest.mark.parametrize(
    ("words", "variable", "message"),
    [
        ("device=cuda", {"CUDA_VISIBLE_DEVICES": ""}, "device=cuda: PyTorch finds no GPU here"),
        ("device=cpu", {"TRITON_INTERPRET": "0"}, "set TRITON_INTERPRET=1"),
        ("speed=high", {}, "speed=high is not known: python -m benchmarks.gpu_kernels"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(gpu_kernels, words, variable, message):
    done = gpu_kernels(words, **variable)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line


def test_gpu_kernels_are_compared_in_the_interpreter(gpu_kernels, tmp_path):
    """All calls of a small training step, with outputs and gradients like those of PyTorch."""
    sizes = "steps=training batch=1 channels=2 cells=1 workers=1 precision=float32"
    words = ("device=cpu", *sizes.split(), f"out={tmp_path}")
    done = gpu_kernels(*words, TRITON_INTERPRET="1")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "gpu_kernels-cpu.json").read_text())["rows"]
    assert {row["kernel"] for row in rows} == {"normalise", "pools", "weighted_sum"}
    for row in rows:
        assert row["calls"]["training"] > 0
        assert len(row["errors"]) > 1  # the output and at least one gradient
        assert max(row["errors"]) < 1e-5
