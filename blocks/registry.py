"""Registries: tables from names to units, backbones, data sets or executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from blocks.errors import InvalidInput

T = TypeVar("T")


class Registry(Generic[T]):
    """A read-mostly table from a name to an implementation.

    Args:
        what:
            The kind of entry in the singular, for error messages ("unit", "backbone").
        kind:
            The class of every entry. Default: any.
        load_more:
            Registers further entries; called when they may be needed, also more than once. Default:
            none.
        hint:
            Returns the end of the message about an unknown name.
    """

    def __init__(
        self,
        what: str,
        kind: type = object,
        load_more: Callable[[], None] = lambda: None,
        hint: Callable[[], str] = lambda: "",
    ) -> None:
        self.what = what
        self._kind = kind
        self._load_more = load_more
        self._hint = hint
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> T:
        """Add ``entry`` under ``name`` and return it.

        Raises:
            ValueError: ``name`` is taken; a second entry would change the meaning of old files.
            TypeError: ``entry`` is of another kind.
        """
        if not isinstance(entry, self._kind):
            raise TypeError(
                f"{self.what} {name!r}: {entry!r:.60} is no instance of {self._kind.__name__}"
            )
        if name in self._entries:
            raise ValueError(f"{self.what} {name!r} is registered already")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> T:
        if name in self:
            return self._entries[name]
        allowed = ", ".join(self._entries)
        raise InvalidInput(f"unknown {self.what} {name!r}; allowed: {allowed}{self._hint()}")

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            self._load_more()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load_more()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load_more()
        return len(self._entries)
