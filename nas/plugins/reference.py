"""The names of plug-ins: read, checked, and made of objects."""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from blocks.errors import InvalidInput
from blocks.plugins import PREFIX

NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
FORMS = "package.module:NAME or path/of/file.py:NAME"
INTO_A_FILE = (
    "trainings run in processes of their own, which find it by its name: put it into a file and give "
    "path/of/file.py:NAME"
)


@dataclass(frozen=True)
class Reference:
    """Where an object is found.

    Attributes:
        source: A module by its dotted name, or a file that ends in ``.py``.
        name: Of the object there; dots lead into classes.
    """

    source: str
    name: str

    @classmethod
    def parse(cls, text: str, kind: str) -> Reference:
        """Read a reference.

        Raises:
            InvalidInput: It is none; ``kind`` says of what.
        """
        source, _, name = text.rpartition(":")
        if not NAME.fullmatch(name) or not (source.endswith(".py") or NAME.fullmatch(source)):
            raise InvalidInput(f"{kind} {text!r}: not an import path; allowed: {FORMS}")
        return cls(source, name)

    @property
    def file(self) -> Path | None:
        """The file, absolute and without links; None for a module."""
        is_file = self.source.endswith(".py")
        return Path(self.source).expanduser().resolve() if is_file else None

    @property
    def is_portable(self) -> bool:
        """Whether it means the same in every folder: a module, or an absolute path."""
        return self.file is None or Path(self.source).is_absolute()

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


def is_reference(text: str) -> bool:
    """Whether ``text`` has the form of a reference; ``imagefolder:photos`` has it too."""
    source, _, name = text.rpartition(":")
    return bool(NAME.fullmatch(name) and (source.endswith(".py") or NAME.fullmatch(source)))


def identity(reference: str) -> str:
    """What stays of a reference when its file is moved to another folder: ``file.py:NAME``."""
    source, colon, name = reference.rpartition(":")
    return f"{Path(source).name}{colon}{name}" if source.endswith(".py") else reference


def reference_to(thing: object, kind: str) -> str:
    """The reference of an object, for every process to find it by; of a reference, itself.

    Args:
        thing: A class, a function, an objective, or a string.
        kind: What it is, for messages: ``data``, ``objective``, ``module``, ``evaluator``, ``sampler``.

    Returns:
        ``module:NAME`` of what can be imported, ``path/of/script.py:NAME`` of what the running script or
        a loaded file defines; the path is relative when the file lies below the current folder.

    Raises:
        InvalidInput: It has no such name: it is a lambda, a local function or an instance, is defined in
            a notebook cell, or another object has its name by now.
    """
    if isinstance(thing, str):
        return str(Reference.parse(thing, kind))
    origin = getattr(thing, "__wrapped__", thing)
    name = getattr(origin, "__qualname__", None)
    module = sys.modules.get(getattr(origin, "__module__", None) or "")
    what = f"{kind} {name or repr(thing)[:60]}"
    if name is None or module is None:
        raise InvalidInput(f"{what}: it has no name of its own; {INTO_A_FILE}")
    if "<" in name:
        raise InvalidInput(
            f"{what}: a lambda or a local function cannot be imported; {INTO_A_FILE}"
        )
    if _within(module, name) is not thing:
        raise InvalidInput(f"{what}: {module.__name__} has something else under this name")
    if module.__name__ != "__main__" and not module.__name__.startswith(PREFIX):
        return f"{module.__name__}:{name}"
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).is_file() or not file.endswith(".py"):
        raise InvalidInput(f"{what}: it is defined in a notebook cell or a prompt; {INTO_A_FILE}")
    path, here = Path(file).resolve(), Path.cwd().resolve()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{name}"


def _within(module: object, name: str) -> object:
    return functools.reduce(lambda found, part: getattr(found, part, None), name.split("."), module)
