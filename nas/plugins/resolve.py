"""From a reference to the object, and from an error in it to one line."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from blocks.errors import InvalidInput
from blocks.plugins import (
    LoadEnds,
    frame_to_blame,
    is_cut,
    load_file,
    loading,
    note_file,
    reason_of,
)
from blocks.wording import kind_of
from nas.folders import runs_dir
from nas.naming import option
from nas.plugins.faults import PluginFault, PluginRaised
from nas.plugins.reference import Reference

ARGUMENTS = {"objective": "objectives"}
"""Argument that names a plug-in of a kind, where it is not the kind itself."""
BUNDLE_FILES = ("manifest.json", "predict.py")


class Missing(PluginFault):
    """A plug-in's file or module is not there.

    Args:
        message: It in one line.
        kind: Of the plug-in.
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


@contextmanager
def named_by_a_run() -> Iterator[None]:
    """A plug-in that is missing inside was there when its run began: say how to bring it back.

    Raises:
        InvalidInput: In place of ``Missing``.
    """
    try:
        yield
    except Missing as missing:
        place = option(ARGUMENTS.get(missing.kind, missing.kind))
        raise InvalidInput(
            f"{missing}; put it back, or resume the search with its new place ({place})"
        ) from None


@dataclass(frozen=True)
class Expected:
    """What a plug-in of a kind must be.

    Attributes:
        words: It in words, for messages.
        fits: Whether an object is one.
        lacking: What is wrong with a function that is none. Default: that it is a function.
    """

    words: str
    fits: Callable[[object], bool]
    lacking: str = ""


def resolve(reference: str, kind: str, expects: Expected) -> object:
    """The object that a reference names.

    The first time in a process its file is run, or its module imported; a module of a file lies in
    ``sys.modules`` under a name made of its path.

    Args:
        reference: ``package.module:NAME`` or ``path/of/file.py:NAME``.
        kind: What it is, for messages: ``data``, ``objective``, ``module``, ``evaluator``, ``sampler``.
        expects: What it must be.

    Raises:
        PluginFault: The file, module or name is missing, importing raises, the object is of another
            kind, or the file lies in a run or a bundle.
    """
    parsed = Reference.parse(reference, kind)
    what = f"{kind} {reference}"
    module = _file(parsed, what, kind) if parsed.file else _module(parsed, what, kind)
    found: object = module
    for part in parsed.name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            where = parsed.file or getattr(module, "__file__", None) or parsed.source
            cut = " before it starts a search" if is_cut(module) else ""
            raise PluginFault(
                f"{what}: {where} defines no {parsed.name!r}{cut}; expected {expects.words}"
            ) from None
    if not expects.fits(found):
        got = "a class" if inspect.isclass(found) else kind_of(found)
        if inspect.isfunction(found):
            got = expects.lacking or got
        place = _place_in_module(found, module, parsed.name)
        at = what if place is None else f"{what}: {place}"
        raise PluginFault(f"{at}: {got}; expected {expects.words}")
    return found


def _place_in_module(found: object, module: ModuleType, name: str) -> str | None:
    """Where an object of the wrong kind comes from: a value has no place but that of its name."""
    if inspect.isroutine(found) or inspect.isclass(found):
        return place_of(found)
    file = getattr(module, "__file__", None)
    try:
        lines = inspect.getsource(module).splitlines()
    except (OSError, TypeError):
        return file
    gives = re.compile(rf"{re.escape(name)}\s*(:[^=]+)?=(?!=)")
    at = [number for number, line in enumerate(lines, 1) if gives.match(line)]
    return f"{file}, line {at[-1]}" if at else file


@contextmanager
def calling(kind: str, reference: str, expected: str, called: object) -> Iterator[None]:
    """Make one line of whatever a plug-in raises.

    Args:
        kind: What it is, for messages.
        reference: Its reference.
        expected: What it must be, in words.
        called: The plug-in, whose place is named when no line of it raised: it cannot be called so.

    Raises:
        PluginRaised: Names the plug-in, the file and line that raised, and what is expected.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        frame = frame_to_blame(error)
        at = named_at(kind, reference, called)
        if frame is not None:
            at = f"{kind} {reference}: {frame.filename}, line {frame.lineno}"
        raise PluginRaised(f"{at}: {reason_of(error)}; expected {expected}") from error


def named_at(kind: str, reference: str, thing: object) -> str:
    """A plug-in by its reference and, unless it is not written in Python, where it is defined."""
    place = place_of(thing)
    return f"{kind} {reference}" if place is None else f"{kind} {reference}: {place}"


def place_of(thing: object) -> str | None:
    """``file, line N`` of the definition of a function or class, or of the class of an instance."""
    thing = getattr(thing, "__wrapped__", thing)
    if not (inspect.isroutine(thing) or inspect.isclass(thing)):
        thing = type(thing)
    try:
        file = inspect.getsourcefile(thing)
        _, line = inspect.getsourcelines(thing)
    except (OSError, TypeError):
        return None
    return f"{file}, line {line}"


def _place_of_error(error: BaseException) -> str:
    frame = frame_to_blame(error)
    if frame is None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}, line {frame.lineno}"


def _file(reference: Reference, what: str, kind: str) -> ModuleType:
    path = reference.file
    assert path is not None
    if not path.is_file():
        raise Missing(f"{what}: {path}: no such file", kind)
    _refuse_runs_and_bundles(path, what)
    return _imported(lambda: load_file(path), path, what)


def _module(reference: Reference, what: str, kind: str) -> ModuleType:
    name = reference.source
    try:
        module = _imported(lambda: importlib.import_module(name), None, what)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise PluginFault(f"{what}: {_place_of_error(error)}: {reason_of(error)}") from error
        raise Missing(
            f"{what}: no module {error.name!r} in this Python; install the package that has it",
            kind,
        ) from None
    if file := getattr(module, "__file__", None):
        note_file(Path(file))
    return module


def _imported(run: Callable[[], ModuleType], path: Path | None, what: str) -> ModuleType:
    """What ``run`` imports; said in the log when it is new."""
    known = len(sys.modules)
    try:
        with loading():
            module = run()
    except ModuleNotFoundError as error:
        if path is None:
            raise
        raise PluginFault(f"{what}: {_place_in(path, error)}: {reason_of(error)}") from error
    except LoadEnds:
        raise PluginFault(
            f"{what}: the module starts a search when it is imported; put that under "
            "if __name__ == '__main__'"
        ) from None
    except (Exception, SystemExit) as error:
        raise PluginFault(f"{what}: {_place_in(path, error)}: {reason_of(error)}") from error
    if len(sys.modules) > known:
        logging.getLogger("nas").info("%s: imported %s", what, getattr(module, "__file__", module))
    return module


def _place_in(path: Path | None, error: BaseException) -> str:
    """Where importing failed; a file that cannot be parsed has no frame."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    return str(path) if path and frame_to_blame(error) is None else _place_of_error(error)


def _refuse_runs_and_bundles(path: Path, what: str) -> None:
    """People hand those on; nobody expects that reading one runs what lies in it."""
    for folder in path.parents:
        is_run = (folder / "search.yaml").is_file() and (folder / "trials").is_dir()
        is_bundle = all((folder / name).is_file() for name in BUNDLE_FILES)
        if is_run or is_bundle or folder == runs_dir().resolve():
            raise PluginFault(
                f"{what}: {path} lies in {folder}, a folder of runs or a bundle; allowed: a file "
                "elsewhere, which only you put there"
            )
