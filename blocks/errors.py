"""The one error a user's mistake raises, whichever package meets it."""

from __future__ import annotations


class InvalidInput(ValueError):
    """A request that cannot be served as it was made.

    The message is one line: what is wrong, where, and what is allowed. The command line prints it and
    exits with code 2; it never shows a traceback for this error.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
