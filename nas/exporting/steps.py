"""What an export is doing, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console

Say: TypeAlias = Callable[[str], None]
"""Called with the step that begins, such as ``onnx: int8``."""


def silent(step: str) -> None:
    """Say nothing."""


@contextmanager
def shown_steps(console: Console | None) -> Iterator[Say]:
    """What steps are told to: on a terminal a line that the next step replaces, elsewhere a line each.

    Args:
        console: Where they are shown; None: nowhere.
    """
    if console is None:
        yield silent
    elif not console.is_terminal:

        def print_step(step: str) -> None:
            with suppress(OSError):  # the reader is gone
                console.print(step, markup=False, highlight=False, soft_wrap=True)

        yield print_step
    else:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        text = TextColumn("{task.description}", markup=False)
        with Progress(
            SpinnerColumn(), text, TimeElapsedColumn(), console=console, transient=True
        ) as progress:
            task = progress.add_task("", total=None)
            # Drawn at once: converters are silenced with the whole process.
            yield lambda step: progress.update(task, description=step, refresh=True)
