"""Packages whose names are imported when they are first used: most commands need few of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """What a package's ``__init__`` binds to ``__getattr__``, ``__dir__`` and ``__all__``.

    Beside it, under TYPE_CHECKING, stand the same imports for type checkers and readers
    (``from package.module import name as name``); tests/test_lazy_names.py compares the two.

    A name must differ from the package's own modules: importing ``package.build`` would bind the module
    to the name.

    Args:
        package: The package, its ``__name__``.
        modules: Module -> the names that come from it.
    """
    places = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(places[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        own = vars(sys.modules[package])
        return sorted({*filter(lambda name: name.startswith("__"), own), *own["__all__"]})

    return get, listed, sorted(places)
