"""How a command ends: exit codes, interrupts, closed pipes, the end of its launcher."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ltnas.cli.messages import user_message
from ltnas.errors import Terminated


@contextmanager
def ending_in_words() -> Iterator[None]:
    """One line and an exit code for whatever ends a program before its time, but our mistakes."""
    try:
        yield
    except Terminated as error:
        print("terminated; the same command with resume=auto goes on", file=sys.stderr)
        sys.exit(error.code)
    except KeyboardInterrupt:
        print("interrupted; the same command with resume=auto goes on", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
        print(f"ltnas: {message}", file=sys.stderr)
        sys.exit(2)


def end_with(launcher: int) -> None:
    """End when the process that started this one does, however it ends.

    A job that outlived its launcher would hold its run folder, and the same sweep started again
    would begin that run a second time. Linux alone can do so; elsewhere jobs go on.
    """
    import ctypes

    # A launcher in the background ignores interrupts, and what it starts would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parent_death_signal = 1  # PR_SET_PDEATHSIG
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    told = prctl is not None and prctl(parent_death_signal, signal.SIGKILL) == 0
    if told and os.getppid() != launcher:  # it has ended before this line
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """Whoever reads what is printed, `head` for example, may have seen enough."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
