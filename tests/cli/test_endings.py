"""Ends of a command: one line, an exit code, and what the user can do."""

import pytest

from ltnas.cli.endings import ending_in_words
from ltnas.errors import Terminated, UserError


def ended(error, **settings):
    """Exit code of a command that raises the error."""
    with pytest.raises(SystemExit) as caught, ending_in_words(**settings):
        raise error
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [(KeyboardInterrupt(), 130, "interrupted"), (Terminated(), 143, "terminated")],
)
def test_the_advice_follows_an_interrupt(error, code, word, capsys):
    assert ended(error) == code
    assert capsys.readouterr().err == f"{word}; the same command with resume=auto goes on\n"
    assert ended(error, advice="") == code
    assert capsys.readouterr().err == f"{word}\n"


def test_a_user_error_is_one_line_and_a_bug_keeps_its_traceback(capsys):
    assert ended(UserError("mend it so")) == 2
    assert capsys.readouterr().err == "ltnas: mend it so\n"
    with pytest.raises(ZeroDivisionError), ending_in_words():
        raise ZeroDivisionError
