"""The one kind of error that a user causes and can mend."""


class UserError(Exception):
    """What is wrong, where, and how to mend it, in one line.

    Raised anywhere below a command; the command prints the line and exits with code 2.
    """
