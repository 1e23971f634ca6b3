"""The peak memory that a run reports."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

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
