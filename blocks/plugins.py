"""Units and backbones of one's own: Python files named in SKNAS_PLUGINS, and installed packages.

A plugin is code, so only the user names one, by the variable or by installing a package. A search space,
a file of a run or a checkpoint cannot.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from blocks.errors import InvalidInput

VARIABLE = "SKNAS_PLUGINS"
"""Environment variable with paths of files, separated as in PATH. Trainings inherit it."""

GROUP = "sknas.plugins"
"""Entry-point group of installed packages: modules that register something on import."""

PREFIX = "sknas_plugin_"
"""Begins the names of modules that were loaded from files."""

_problem: str | None = None
_files: list[str] = []
"""Those that were run in this process."""
_cut: set[str] = set()
"""Names of modules whose file was run only up to a call that begins work."""
_loading = threading.local()


class LoadEnds(BaseException):
    """Ends the load of a file that begins work of its own; see :func:`end_load`.

    Not an Exception, so that no file catches it by chance.
    """


def hint() -> str:
    """The end of a message about an unknown name: the plugins in use, or how to add one."""
    named = os.environ.get(VARIABLE)
    if named:
        return f"; {VARIABLE}={named} registers no other"
    return f"; one of your own: name its file in {VARIABLE}"


def load_plugins() -> None:
    """Run every plugin once per process; later calls do nothing, or raise the error of the first call.

    Registries call this for an unknown name, or for all their names. A process that needs no plugin runs
    none.

    Raises:
        InvalidInput: A file is missing, or running it fails.
    """
    global _problem
    if _problem is None:
        _problem = ""  # set first: a plugin that reads a registry must not start the plugins again
        try:
            _load_all()
        except InvalidInput as error:
            _problem = str(error)
    if _problem:
        raise InvalidInput(_problem)


def blame(error: BaseException) -> str | None:
    """One line for an error that a plugin may have caused; None if no plugin was run.

    The line names the innermost line of a plugin. If a plugin only returned a wrong value, it names the
    line of the program.
    """
    if not _files:
        return None
    frames = _frames(error)
    own = frame_to_blame(error)
    at = own or frames[0]
    where = f"{at.filename}, line {at.lineno}, in {at.name}"
    if own is not None:
        return f"plugin {where}: {reason_of(error)}"
    return (
        f"{where}: {reason_of(error)}; perhaps because of what a method gives in {', '.join(_files)}: "
        "docs/howto says what each has to give"
    )


def load_file(path: Path) -> ModuleType:
    """The module of a Python file, which is run once in a process.

    A file that was started as the program (``python path.py``) is not run again. A file that calls
    ``nas.search`` or its like outside a function is run up to that call.

    Args:
        path: Of the file; need not be absolute.

    Raises:
        Exception: Whatever running it raises; the file is then run again when it is next asked for.
    """
    path = path.expanduser().resolve()
    note_file(path)
    script = sys.modules.get("__main__")
    started = getattr(script, "__file__", None)
    if script is not None and started is not None and Path(started).resolve() == path:
        return script
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"{PREFIX}{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise FileNotFoundError(2, os.strerror(2))  # the caller names the path
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    # As an import does: torch's exporters look up classes by the name of their module.
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for files beside it; last, so that they hide nothing
    try:
        with loading():
            spec.loader.exec_module(module)
    except LoadEnds:
        _cut.add(name)  # what the file defines before its search is there
    except BaseException:
        del sys.modules[name]
        raise
    return module


def is_cut(module: ModuleType) -> bool:
    """Whether a file was run only up to a call that begins work, as the running program is."""
    return module.__name__ in _cut or module.__name__ == "__main__"


@contextmanager
def loading() -> Iterator[None]:
    """While a plug-in is imported in this thread; see :func:`end_load`."""
    _loading.depth = getattr(_loading, "depth", 0) + 1
    try:
        yield
    finally:
        _loading.depth -= 1


def end_load() -> None:
    """End the load of the plug-in that is being imported in this thread, if there is one.

    Whatever begins work (a search, a training) calls this first. A script that defines an objective and
    starts a search is read by the training processes for the objective, and must not search again there.

    Raises:
        LoadEnds: A plug-in is being imported.
    """
    if getattr(_loading, "depth", 0):
        raise LoadEnds


def note_file(path: Path) -> None:
    """Have :func:`blame` know a file of a plug-in."""
    if str(path) not in _files:
        _files.append(str(path))


def frame_to_blame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost place of ``error`` in a file of a plug-in; None where there is none."""
    return next((frame for frame in _frames(error) if frame.filename in _files), None)


def _load_all() -> None:
    named = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    for path in dict.fromkeys(Path(one).expanduser().resolve() for one in named):
        try:
            load_file(path)
        except (Exception, SystemExit) as error:  # whatever the file raises
            line = next((f.lineno for f in _frames(error) if f.filename == str(path)), None)
            where = str(path) if line is None else f"{path}, line {line}"
            raise InvalidInput(f"{VARIABLE}: {where}: {reason_of(error)}") from error
    for entry in entry_points(group=GROUP):
        try:
            note_file(Path(getattr(entry.load(), "__file__", entry.value)))
        except (Exception, SystemExit) as error:
            raise InvalidInput(
                f"plugin {entry.name} ({entry.value}): {reason_of(error)}"
            ) from error


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Innermost first."""
    return traceback.extract_tb(error.__traceback__)[::-1]


def reason_of(error: BaseException) -> str:
    """The error in words, without its place and without a full stop."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
    said = str(error).strip().rstrip(".")
    if isinstance(error, InvalidInput):
        return said  # one line that says what was wrong
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
