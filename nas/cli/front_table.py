"""The front of a run as a table on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from nas.cli.console import console, say
from nas.front import Front, pick_knee
from nas.runs import ERROR
from nas.training.recipe import METRICS

if TYPE_CHECKING:
    from nas.evaluation import Rate
    from nas.searching.uncertainty import Uncertainty


def print_front(front: Front, uncertainty: Uncertainty) -> None:
    """The front, cheapest first, with the knee marked; errors with their 95 % intervals.

    Input sizes have a column where they differ: then they are what the costs depend on most.
    """
    if not front.points:
        say("no trained trial, so no front")
        return
    knee = pick_knee(front)
    table = Table(title=f"Pareto front (hypervolume {front.hypervolume:.4f})", title_justify="left")
    table.add_column("trial", justify="right")
    for name in front.objectives:
        error = f"val. {METRICS[uncertainty.metric]} %"
        table.add_column(error if name == ERROR else name, justify="right")
    sizes_differ = len({point.spec.input_size for point in front.points}) > 1
    if sizes_differ:
        table.add_column("input", justify="right")
    table.add_column("width", justify="right")
    table.add_column("unit", overflow="fold")
    table.add_column("")
    for point in front.points:
        rate = uncertainty.rates.get(point.trial)
        figures = [
            error_text(value, rate) if name == ERROR else f"{value:,.6g}"
            for name, value in zip(front.objectives, point.values, strict=True)
        ]
        mark = "knee" if point.trial == knee.trial else ""
        spec = point.spec
        size = [str(spec.input_size)] if sizes_differ else []
        table.add_row(str(point.trial), *figures, *size, f"{spec.width:g}", spec.label, mark)
    console.print(table)
    if uncertainty.sentence:
        say(uncertainty.sentence)


def error_text(value: float, rate: Rate | None) -> str:
    """An error in percent, with its interval if that is known."""
    interval = "" if rate is None else f" ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
    return f"{100 * value:.2f}{interval}"
