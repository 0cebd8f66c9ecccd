"""What a person sees of a running search."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from blocks.wording import plural


@dataclass(frozen=True)
class Status:
    """Figures of a search at one moment.

    Attributes:
        wanted: Networks to train.
        trained: Trained in full.
        paused: Waiting at a rung.
        running: Numbers of the trials in training.
        infeasible: Proposals over a budget.
        duplicate: Proposals of a network that was proposed before.
        failed: Trainings that failed.
        front_size: Points of the front.
        hypervolume: Of the front, 0 to 1.
        seconds_left: Estimate; None before the first training ends.
    """

    wanted: int
    trained: int
    paused: int
    running: tuple[int, ...]
    infeasible: int
    duplicate: int
    failed: int
    front_size: int
    hypervolume: float
    seconds_left: float | None


class View(Protocol):
    """Shows a search while it runs."""

    def __enter__(self) -> View:
        """Begin to show."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Leave the last state on the screen."""
        ...

    def status(self, status: Status) -> None:
        """The figures have changed."""
        ...

    def event(self, text: str) -> None:
        """One thing has happened."""
        ...


class PlainView:
    """One line per event, for files, pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> View:
        """Begin to show."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to clear."""

    def status(self, status: Status) -> None:
        """Figures are shown with the events."""

    def event(self, text: str) -> None:
        """Print the line."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)


class LiveView:
    """A table at the foot of the terminal, events scrolling above it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("trained"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            console=console,
        )
        self._task: TaskID | None = None
        self._live = Live(console=console, refresh_per_second=4)

    def __enter__(self) -> View:
        """Begin to show."""
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the last state on the screen."""
        self._live.refresh()  # in a notebook, stop() leaves what was drawn last
        self._live.stop()

    def status(self, status: Status) -> None:
        """Draw the table anew."""
        if self._task is None:
            self._task = self._progress.add_task("trained", total=status.wanted)
        self._progress.update(self._task, completed=status.trained, total=status.wanted)
        self._live.update(_table(status, self._progress))

    def event(self, text: str) -> None:
        """Print the line above the table."""
        self._live.console.print(text, highlight=False, markup=False)


class SilentView:
    """Shows nothing."""

    def __enter__(self) -> View:
        """Begin."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End."""

    def status(self, status: Status) -> None:
        """Not shown."""

    def event(self, text: str) -> None:
        """Not shown."""


def make_view(console: Console) -> View:
    """A live table on a terminal or in a notebook, plain lines elsewhere."""
    live = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
    return LiveView(console) if live else PlainView(console)


def default_view(*, show: bool) -> View:
    """What a program sees that calls ``nas.search``; nothing unless ``show``."""
    return make_view(Console()) if show else SilentView()


def plain_view(*, show: bool) -> View:
    """One line per event; nothing unless ``show``."""
    return PlainView(Console()) if show else SilentView()


def duration(seconds: float) -> str:
    """Seconds as people say them: 42s, 3m10s, 2h05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def _table(status: Status, progress: RenderableType) -> Table:
    left = "-" if status.seconds_left is None else duration(status.seconds_left)
    running = ", ".join(map(str, status.running)) or "none"
    table = Table.grid(padding=(0, 3))
    table.add_row(progress, f"running: {running}", f"left: {left}")
    table.add_row(
        f"paused {status.paused}, infeasible {status.infeasible}, duplicate {status.duplicate}, "
        f"failed {status.failed}",
        f"front: {plural(status.front_size, 'point')}",
        f"hypervolume {status.hypervolume:.4f}",
    )
    return table
