"""Processes that do not run the user's script again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_LOCK = threading.RLock()


@contextmanager
def without_main() -> Iterator[None]:
    """Processes that multiprocessing starts meanwhile do not import the script that this one runs.

    Multiprocessing has a new process run the script of its parent, for functions that are defined
    there. Ours are all defined in modules, and a script that starts a search outside a function would
    start it again in each of them. What tells multiprocessing of the script are attributes of the module
    ``__main__``; an empty one stands in for it while the process is started.
    """
    with _LOCK:
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = script
