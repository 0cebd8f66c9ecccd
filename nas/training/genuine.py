"""Which errors in a user's code say nothing against that code."""

from __future__ import annotations

from typing import Final

MEMORY: Final = ("out of memory", "can't allocate memory")
"""What torch says in a plain RuntimeError when a GPU, or the machine, has no memory left."""


def is_genuine(error: BaseException) -> bool:
    """Whether one training failed: its loss is not finite, or its network does not fit in memory."""
    if isinstance(error, FloatingPointError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(one in str(error).lower() for one in MEMORY)
