"""The error that every package raises for a mistake of the user."""

from __future__ import annotations


class InvalidInput(ValueError):
    """A request that is invalid.

    The message is one line: what is wrong, where, and what is allowed. The command line prints it
    without a traceback and exits with code 2.

    Examples:
        >>> import nas
        >>> nas.load_space("nowhere")
        Traceback (most recent call last):
        ...
        blocks.errors.InvalidInput: unknown space 'nowhere'; allowed: ...
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))
