"""The error of work that was asked for correctly and could not be done."""

from __future__ import annotations


class WorkFailed(RuntimeError):
    """A search, a training or an export failed. One line; the command line exits with code 1.

    Examples:
        >>> import nas
        >>> str(nas.WorkFailed("nothing was trained"))
        'nothing was trained'
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))
