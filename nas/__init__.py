"""Search lightweight image classifiers made of Selective-Kernel units, and export the one you pick.

The public names are loaded when they are first used, so that ``import nas`` costs nothing::

    import nas

    run = nas.search("quickstart", data="digits", trials=12, epochs=6, recipe="tiny", name="first")
    knee = run.pick("knee")
    print(run.to_dataframe(), run.train(knee).test_error)
    run.export(knee, targets=["onnx"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blocks import ArchSpec, InvalidInput, UnitSpec, build
    from nas.api.exporting import Bundle, export
    from nas.api.run import Run, open_run
    from nas.api.searching import search
    from nas.api.training import FullTraining, train
    from nas.cost import Budgets, Counts, count
    from nas.errors import WorkFailed
    from nas.front import Front, FrontPoint
    from search_spaces import SearchSpace, load_space

    __version__: str

_HOME = {
    "ArchSpec": "blocks",
    "Budgets": "nas.cost",
    "Bundle": "nas.api.exporting",
    "Counts": "nas.cost",
    "Front": "nas.front",
    "FrontPoint": "nas.front",
    "FullTraining": "nas.api.training",
    "InvalidInput": "blocks",
    "Run": "nas.api.run",
    "SearchSpace": "search_spaces",
    "UnitSpec": "blocks",
    "WorkFailed": "nas.errors",
    "build": "blocks",
    "count": "nas.cost",
    "export": "nas.api.exporting",
    "load_space": "search_spaces",
    "open_run": "nas.api.run",
    "search": "nas.api.searching",
    "train": "nas.api.training",
}
"""Public name -> the module that defines it."""

__all__ = [
    "ArchSpec",
    "Budgets",
    "Bundle",
    "Counts",
    "Front",
    "FrontPoint",
    "FullTraining",
    "InvalidInput",
    "Run",
    "SearchSpace",
    "UnitSpec",
    "WorkFailed",
    "build",
    "count",
    "export",
    "load_space",
    "open_run",
    "search",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("sknas")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'nas' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "__version__"})
