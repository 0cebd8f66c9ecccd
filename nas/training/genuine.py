"""Which errors in a user's code say nothing against that code."""

from __future__ import annotations

import errno
from typing import Final

MEMORY: Final = ("out of memory", "can't allocate memory")
"""What torch says in a plain RuntimeError when a GPU, or the machine, has no memory left."""

UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def cannot_write(error: BaseException) -> bool:
    """Whether the disk takes no more: any other training would fail there too."""
    return isinstance(error, OSError) and error.errno in UNWRITABLE


def is_genuine(error: BaseException) -> bool:
    """Whether one training failed: its loss is not finite, or its network does not fit in memory."""
    if isinstance(error, FloatingPointError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(one in str(error).lower() for one in MEMORY)
