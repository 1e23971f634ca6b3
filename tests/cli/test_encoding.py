"""Commands print where the encoding is ASCII, as in bare containers."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console
from trained import trained_run

from ltnas.cli.console import print_long_tail
from ltnas.cli.encoding import first_encodable, print_everywhere
from ltnas.config import Data, Imbalance
from ltnas.data.long_tail import load_long_tail

BARE = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}


def test_the_first_text_that_an_encoding_holds():
    assert first_encodable("utf-8", "█", "#") == "█"
    assert first_encodable("ascii", "█", "#") == "#"
    assert first_encodable("ascii", "█", "é") == "é"


def test_other_characters_become_escapes(monkeypatch):
    streams = [io.TextIOWrapper(io.BytesIO(), "ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    print_everywhere()
    for stream in streams:
        stream.write("Zürich …")
        stream.flush()
        assert stream.buffer.getvalue() == b"Z\\xfcrich \\u2026"


def test_streams_without_an_encoding_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    print_everywhere()
    print("Zürich")
    assert sys.stdout.getvalue() == "Zürich\n"


def test_bars_of_class_counts_in_ascii():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    tail = load_long_tail(Data("digits", image_size=8), Imbalance("exp", 0.1))
    print_long_tail(Console(file=stream, width=80), "digits", tail)
    stream.flush()
    first = stream.buffer.getvalue().decode("ascii").splitlines()[1]
    assert first.split() == ["0", "#" * 36, "142", "many"]


@pytest.mark.parametrize("command", ["search", "retrain", "pipeline", "rank", "predict", "draw"])
def test_help_in_ascii(command):
    done = subprocess.run(
        [sys.executable, "-m", f"ltnas.{command}", "--help"],
        env={**os.environ, **BARE},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("ascii").startswith(f"python -m ltnas.{command}")


def test_a_report_in_ascii(tmp_path):
    trained_run(tmp_path, "runs/retrain-a", 0.5)
    metrics = tmp_path / "runs" / "retrain-a" / "metrics.json"
    metrics.write_text(metrics.read_text().replace('"darts_v2"', '"Zürich"'), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ltnas.report", "runs"],
        cwd=tmp_path,
        env={**os.environ, **BARE},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Z\\xfcrich" in done.stdout.decode("ascii")
    assert "Zürich" in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
