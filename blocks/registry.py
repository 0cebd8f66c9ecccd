"""Registries: tables from names to units, backbones, data sets or executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from blocks.errors import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True)
class _Later(Generic[T]):
    """An entry that is not made yet."""

    make: Callable[[], T]


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
        self._entries: dict[str, T | _Later[T]] = {}

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
        self._add(name, entry)
        return entry

    def register_later(self, name: str, make: Callable[[], T]) -> None:
        """Add what ``make`` gives under ``name``; it is called when the entry is first asked for.

        So the names can be listed without what the implementations import.

        Raises:
            ValueError: ``name`` is taken.
        """
        self._add(name, _Later(make))

    def _add(self, name: str, entry: T | _Later[T]) -> None:
        if name in self._entries:
            raise ValueError(f"{self.what} {name!r} is registered already")
        self._entries[name] = entry

    def check(self, name: str) -> None:
        """Raise InvalidInput when there is no entry of this name; makes none."""
        if name not in self:
            allowed = ", ".join(self._entries)
            raise InvalidInput(f"unknown {self.what} {name!r}; allowed: {allowed}{self._hint()}")

    def __getitem__(self, name: str) -> T:
        self.check(name)
        entry = self._entries[name]
        if isinstance(entry, _Later):
            entry = self._entries[name] = entry.make()
        return entry

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if name not in self._entries:
            self._load_more()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load_more()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load_more()
        return len(self._entries)
