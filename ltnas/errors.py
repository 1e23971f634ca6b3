"""The one kind of error that a user causes and can mend, and the end that was asked for."""


class Terminated(SystemExit):
    """A process was asked to end (SIGTERM), and has left everything to be gone on with."""

    def __init__(self) -> None:
        super().__init__(143)


class UserError(Exception):
    """One line that says what is wrong, where, and how to mend it.

    Raised anywhere below a command; the command prints the line and exits with code 2.
    """
