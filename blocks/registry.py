"""Names to implementations: how a new unit, backbone, data set or executor is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from blocks.errors import InvalidInput

T = TypeVar("T")


class Registry(Generic[T]):
    """A read-mostly table from a name to an implementation.

    Args:
        what:
            What the names stand for, in the singular; used in error messages ("unit", "backbone").
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> T:
        """Add ``entry`` under ``name`` and return it.

        Raises:
            ValueError: ``name`` is taken; a second entry would silently change what old files mean.
        """
        if name in self._entries:
            raise ValueError(f"{self.what} {name!r} is registered already")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            allowed = ", ".join(self._entries)
            raise InvalidInput(f"unknown {self.what} {name!r}; allowed: {allowed}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
