"""The peak memory that a run reports."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch

from ltnas.runs import memory
from ltnas.runs.memory import process_peak

SMALL = "import numpy; from ltnas.runs.memory import process_peak; print(process_peak())"


def test_a_process_reports_its_own_peak_and_keeps_it() -> None:
    before = process_peak()
    held = np.ones(2**29, np.uint8)
    held_peak = process_peak()
    del held
    assert held_peak >= before + 2**28
    assert process_peak() >= before + 2**28
    said = subprocess.run(
        [sys.executable, "-c", SMALL], capture_output=True, text=True, check=True
    ).stdout
    assert int(said) < held_peak - 2**28


def test_a_container_leaves_less_than_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "none")
    everything = memory.available_memory(torch.device("cpu"))
    assert 0 < everything < float("inf")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.stat").write_text("anon 1000\ninactive_file 700\nactive_file 300\n")
    assert memory.available_memory(torch.device("cpu")) == 2700
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_memory(torch.device("cpu")) > 2700
