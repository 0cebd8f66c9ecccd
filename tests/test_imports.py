from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["blocks", "search_spaces", "nas"]
NAS = [
    "cost",
    "data",
    "runs",
    "study",
    "training",
    "front",
    "search",
    "export",
    "paper",
    "report",
    "analysis",
    "doctor",
    "cli",
]
"""Subpackages of nas; each may import the ones before it, none after it."""


def imported(source: str) -> Iterator[str]:
    """Dotted names of all modules that a file imports, at its top or deep inside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            assert node.module
            # `from nas import cli` imports nas.cli
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def upward(package: str, subpackage: str, source: str) -> list[str]:
    """Imports of a package or subpackage that stands later than the file's own."""
    wrong = []
    for name in imported(source):
        top, *rest = name.split(".")
        if top in PACKAGES[PACKAGES.index(package) + 1 :]:
            wrong.append(name)
        within = package == top == "nas" and rest and rest[0] in NAS
        if within and (subpackage not in NAS or NAS.index(rest[0]) > NAS.index(subpackage)):
            wrong.append(name)
    return wrong


def files() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards_only(path: Path) -> None:
    package, subpackage = path.relative_to(ROOT).parts[:2]
    if subpackage == "__main__.py":  # `python -m nas` is the command line
        subpackage = "cli"
    assert upward(package, subpackage, path.read_text(encoding="utf-8")) == []


def test_every_subpackage_has_its_place() -> None:
    found = {path.name for path in (ROOT / "nas").iterdir() if any(path.glob("*.py"))}
    assert found <= set(NAS)


@pytest.mark.parametrize(
    ("package", "subpackage", "source"),
    [
        ("blocks", "spec.py", "import search_spaces"),
        ("blocks", "units", "def f():\n    from nas.cost import count"),
        ("search_spaces", "space.py", "from nas import cost"),
        ("nas", "cost", "from nas.data import x"),
        ("nas", "training", "from nas import cli"),
        ("nas", "errors.py", "import nas.cost.measures"),
    ],
)
def test_upward_imports_are_found(package: str, subpackage: str, source: str) -> None:
    assert upward(package, subpackage, source)
