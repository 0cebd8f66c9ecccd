"""The front of a run as a table on the terminal."""

from __future__ import annotations

from rich.table import Table

from nas.cli.console import console, say
from nas.front import Front, pick_knee
from nas.runs import ERROR


def print_front(front: Front) -> None:
    """The front, cheapest first, with the knee marked."""
    if not front.points:
        say("no trained trial, so no front")
        return
    knee = pick_knee(front)
    table = Table(title=f"Pareto front (hypervolume {front.hypervolume:.4f})", title_justify="left")
    table.add_column("trial", justify="right")
    for name in front.objectives:
        table.add_column("val. error %" if name == ERROR else name, justify="right")
    table.add_column("width", justify="right")
    table.add_column("unit", overflow="fold")
    table.add_column("")
    for point in front.points:
        figures = [
            f"{100 * value:.2f}" if name == ERROR else f"{value:,.6g}"
            for name, value in zip(front.objectives, point.values, strict=True)
        ]
        mark = "knee" if point.trial == knee.trial else ""
        spec = point.spec
        table.add_row(str(point.trial), *figures, f"{spec.width:g}", spec.label, mark)
    console.print(table)
