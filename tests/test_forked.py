"""The program that stands for the interpreter in tests of commands; see `forked`."""

import os
import signal
import subprocess
import time

import pytest


def run(python, *words, **options):
    return subprocess.run([python, *words], capture_output=True, text=True, check=False, **options)


def test_a_command_has_the_folder_the_environment_and_the_files_of_its_caller(python, tmp_path):
    code = "import os, sys; print(os.getcwd(), os.environ['WHO'], sys.argv, sys.stdin.read())"
    environment = {**os.environ, "WHO": "caller"}
    done = run(python, "-c", code, "a", cwd=tmp_path, env=environment, input="typed")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path} caller ['-c', 'a'] typed\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('no')", 1),
        ("1 / 0", 1),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
    ],
)
def test_exit_codes_are_those_of_the_interpreter(python, code, expected):
    assert run(python, "-c", code).returncode == expected


SLOW = """
import os, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
Path("new").write_text(str(os.getpid()))
Path("new").rename("started")
while True:
    time.sleep(0.01)
"""


@pytest.fixture
def slow(python, tmp_path):
    """A command that has begun and does not end, and its process number."""
    program = subprocess.Popen([python, "-c", SLOW], cwd=tmp_path)
    while not (tmp_path / "started").exists():
        assert program.poll() is None
        time.sleep(0.01)
    yield program, int((tmp_path / "started").read_text())
    program.kill()


def test_signals_are_passed_on(slow):
    program, _ = slow
    program.terminate()
    assert program.wait() == 7


def test_a_command_that_is_given_up_is_killed_and_has_no_answer_for_the_next(slow, python):
    program, command = slow
    program.kill()
    assert program.wait() == -signal.SIGKILL
    assert run(python, "-c", "raise SystemExit(5)").returncode == 5
    while alive(command):  # the time limit of tests ends this
        time.sleep(0.01)


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
