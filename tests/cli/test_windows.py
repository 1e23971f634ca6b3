"""Commands on a system without the POSIX modules of Python, as Windows."""

import json
import subprocess
import sys

import pytest

HIDDEN = ("fcntl", "resource", "pwd", "grp", "termios")
START = (
    "import runpy, sys\n"
    f"sys.modules.update(dict.fromkeys({HIDDEN}))\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


def run(module, *words, cwd):
    command = [sys.executable, "-c", START, f"ltnas.{module}", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["search", "retrain", "pipeline", "rank", "data"])
def test_a_command_says_in_one_line_that_it_needs_another_system(module, tmp_path):
    done = run(module, "data=digits", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ltnas: this system has no POSIX file locks")
    assert "WSL" in line
    assert list(tmp_path.iterdir()) == []


def test_help_is_printed_all_the_same(tmp_path):
    done = run("search", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "scheme" in done.stdout


def test_a_report_is_made_all_the_same(tmp_path):
    folder = tmp_path / "runs" / "search-darts-exp0.1-s0"
    folder.mkdir(parents=True)
    metrics = {"kind": "search", "scheme": "darts", "imbalance": "exp0.1", "seed": 0, "seconds": 1}
    metrics |= {"data": {}, "provenance": {"commit": "a" * 40, "command": "python"}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "fingerprint.json").write_text("{}")
    done = run("report", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "index.html").exists()
