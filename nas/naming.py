"""How messages name an argument: as its caller wrote it, in Python or on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_on_command_line: ContextVar[bool] = ContextVar("nas_on_command_line", default=False)
SPELLINGS = {"how": "--pick", "limits": "--max"}
"""Options that are not spelled as the argument."""


@contextmanager
def command_line() -> Iterator[None]:
    """Messages inside name options of the command line in place of Python's arguments."""
    token = _on_command_line.set(True)
    try:
        yield
    finally:
        _on_command_line.reset(token)


def option(name: str, value: object = None) -> str:
    """An argument of the API, or the option of the same name.

    Args:
        name: Of the argument, such as ``max_mflops``.
        value: Of it. Default: it is not named.

    Returns:
        ``max_mflops=8``, or ``--max-mflops 8``.
    """
    if _on_command_line.get():
        spelled = SPELLINGS.get(name) or f"--{name.replace('_', '-')}"
        return spelled if value is None or value is True else f"{spelled} {value}"
    return name if value is None else f"{name}={value!r}"


def limit_option(objective: str, limit: float) -> str:
    """A limit of any objective, as its caller wrote it: ``--max depth=3``, or ``max_depth=3``."""
    if _on_command_line.get():
        return f"{SPELLINGS['limits']} {objective}={limit:g}"
    return f"max_{objective}={limit:g}"


def call(function: str, *subjects: object, **arguments: object) -> str:
    """A call of the API, or the command of the same name: ``nas search --resume first``.

    Args:
        function: Of both.
        subjects: What has no name on the command line, such as a checkpoint.
        arguments: By name.
    """
    given = [option(name, value) for name, value in arguments.items()]
    if _on_command_line.get():
        return " ".join(["nas", function, *map(str, subjects), *given])
    return f"nas.{function}({', '.join([*(repr(str(one)) for one in subjects), *given])})"


def run_call(function: str, run: str) -> str:
    """What is done with a run: ``nas confirm first``, or the method."""
    if _on_command_line.get():
        return f"nas {function} {run}"
    return f"nas.open_run({run!r}).{function}()"


def trial_call(function: str, run: str, trial: int) -> str:
    """What is done with a trial of a run: ``nas train first --trial 3``, or the method."""
    if _on_command_line.get():
        return f"nas {function} {run} --trial {trial}"
    return f"nas.open_run({run!r}).{function}({trial})"
