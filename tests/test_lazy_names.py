"""Packages that import their names late: what type checkers see is what is there."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAZY = [
    ".".join(path.parent.relative_to(ROOT).parts)
    for package in ("blocks", "search_spaces", "nas")
    for path in sorted((ROOT / package).rglob("__init__.py"))
    if "= lazy_names(" in path.read_text(encoding="utf-8")
]


def imports_for_checkers(package: str) -> dict[str, str]:
    """Name -> module of the imports under TYPE_CHECKING."""
    source = (ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    blocks = [one for one in ast.parse(source).body if isinstance(one, ast.If)]
    froms = [one for block in blocks for one in block.body if isinstance(one, ast.ImportFrom)]
    assert all(alias.asname == alias.name for one in froms for alias in one.names)
    return {alias.name: str(one.module) for one in froms for alias in one.names}


@pytest.mark.parametrize("package", LAZY)
def test_names_are_those_that_type_checkers_see(package: str) -> None:
    module, seen = import_module(package), imports_for_checkers(package)
    assert set(seen) <= set(module.__all__) <= set(dir(module))
    for name, place in seen.items():
        assert getattr(module, name) is getattr(import_module(place), name)
    eager = set(module.__all__) - set(seen)
    assert all(hasattr(module, name) for name in eager)


@pytest.mark.parametrize("package", LAZY)
def test_no_name_is_that_of_a_module_beside_it(package: str) -> None:
    folder = ROOT / package.replace(".", "/")
    modules = {path.stem for path in folder.iterdir()}
    assert not modules & set(imports_for_checkers(package))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = import_module("nas.data").nothing
