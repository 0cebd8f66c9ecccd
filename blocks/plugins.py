"""Units and backbones of one's own: Python files named in SKNAS_PLUGINS, and installed packages.

A plugin is code, so only the user names one, by the variable or by installing a package. A search space,
a file of a run or a checkpoint cannot.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path

from blocks.errors import InvalidInput

VARIABLE = "SKNAS_PLUGINS"
"""Environment variable with paths of files, separated as in PATH. Trainings inherit it."""

GROUP = "sknas.plugins"
"""Entry-point group of installed packages: modules that register something on import."""

_problem: str | None = None
_files: list[str] = []
"""The plugin files that were run in this process."""


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
    own = next((frame for frame in frames if frame.filename in _files), None)
    at = own or frames[0]
    where = f"{at.filename}, line {at.lineno}, in {at.name}"
    if own is not None:
        return f"plugin {where}: {_reason(error)}"
    return (
        f"{where}: {_reason(error)}; perhaps because of what a method gives in {', '.join(_files)}: "
        "docs/howto says what each has to give"
    )


def _load_all() -> None:
    named = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    for path in dict.fromkeys(Path(one).expanduser().resolve() for one in named):
        _files.append(str(path))
        try:
            _run(path)
        except (Exception, SystemExit) as error:  # whatever the file raises
            line = next((f.lineno for f in _frames(error) if f.filename == str(path)), None)
            where = str(path) if line is None else f"{path}, line {line}"
            raise InvalidInput(f"{VARIABLE}: {where}: {_reason(error)}") from error
    for entry in entry_points(group=GROUP):
        try:
            _files.append(str(getattr(entry.load(), "__file__", entry.value)))
        except (Exception, SystemExit) as error:
            raise InvalidInput(f"plugin {entry.name} ({entry.value}): {_reason(error)}") from error


def _run(path: Path) -> None:
    name = f"sknas_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    # As an import does: torch's exporters look up classes by the name of their module.
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Innermost first."""
    return traceback.extract_tb(error.__traceback__)[::-1]


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"{type(error).__name__}: {error}"
