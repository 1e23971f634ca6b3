"""Ends of a command: exit codes, interrupts, closed pipes, the end of its launcher."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ltnas.cli.messages import user_message
from ltnas.errors import Terminated

RESUME = "the same command with resume=auto goes on"
"""Advice after an interrupt of a command that makes run folders."""


@contextmanager
def ending_in_words(advice: str = RESUME) -> Iterator[None]:
    """Turn user errors and interrupts into one line and an exit code.

    Other exceptions are mistakes of this package, and keep their traceback.

    Args:
        advice: what the user can do after an interrupt; may be empty.
    """
    try:
        yield
    except Terminated as error:
        print("; ".join(filter(None, ("terminated", advice))), file=sys.stderr)
        sys.exit(error.code)
    except KeyboardInterrupt:
        print("; ".join(filter(None, ("interrupted", advice))), file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
        print(f"ltnas: {message}", file=sys.stderr)
        sys.exit(2)


def end_with(launcher: int) -> None:
    """Make this process end when its launcher ends, even by SIGKILL (Linux only).

    A job that outlived its launcher would keep the lock of its run folder, and the same sweep
    started again would begin that run a second time.

    Args:
        launcher: process number of the launcher.
    """
    import ctypes

    # A launcher in the background ignores interrupts, and its jobs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parent_death_signal = 1  # PR_SET_PDEATHSIG
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    arranged = prctl is not None and prctl(parent_death_signal, signal.SIGKILL) == 0
    if arranged and os.getppid() != launcher:  # the launcher ended before this line
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """End quietly when the reader of a pipe, `head` for example, has closed it."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
