"""``nas tables``: the papers' tables beside our counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.table import Table

from nas.api.importing import importing
from nas.cli.console import AsJson, console, print_json, say
from nas.errors import WorkFailed
from nas.paper import TITLES, check_table

if TYPE_CHECKING:
    from nas.paper import Comparison, Figures


def tables(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="TABLE", help="1 to 7, se or gc; all when none is named."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Fail when a row is out of tolerance.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the tables of the SKNet, SENet and GCNet papers beside our counts.

    A row is in tolerance within 0.5 % or 0.12M parameters and 0.01 GFLOPs, whichever is more; printed in
    MFLOPs, within 2 % or 0.05M. Networks of timm are counted where it is installed.

    Example: nas tables 1 3
    """
    wanted = list(dict.fromkeys(names or TITLES))
    for name in wanted:
        check_table(name)
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.paper import compare
    compared = {name: compare(name) for name in wanted}
    rows = [row for table in compared.values() for row in table]
    if as_json:
        print_json([_as_json(row) for row in rows])
    elif check:
        _print_check(rows)
    else:
        for name, table in compared.items():
            _print_table(name, table)
    out = [row for row in rows if row.status == "out"]
    if check and out:
        listed = "; ".join(f"table {row.row.table}, {row.network.name}" for row in out)
        raise WorkFailed(f"{len(out)} out of tolerance: {listed}")


def _print_table(name: str, rows: Sequence[Comparison]) -> None:
    """One table, its notes below."""
    unit = "MFLOPs" if any(row.row.in_mflops for row in rows) else "GFLOPs"
    at_320 = any(row.row.error_320 is not None for row in rows)
    table = Table(title=TITLES[name], title_justify="left", padding=(0, 0))
    table.add_column("", overflow="fold")
    for header in ["error %", *(["at 320"] if at_320 else [])]:
        table.add_column(header, justify="right")
    for whose in ("paper", "ours", "diff."):
        table.add_column(f"{whose}\n#P M", justify="right")
        table.add_column(f"{whose}\n{unit}", justify="right")
    table.add_column("", overflow="fold")
    notes: list[str] = []
    for row in rows:
        if row.note and row.note not in notes:
            notes.append(row.note)
        mark = f" [{notes.index(row.note) + 1}]" if row.note else ""
        errors = [_number(row.row.error, 2)]
        errors += [_number(row.row.error_320, 2)] if at_320 else []
        added = bool(row.network.less)
        table.add_row(
            row.network.name,
            *([""] * len(errors) if added else errors),
            *_cells(row.printed, unit, 2, signed=added),
            *_cells(row.ours, unit, 3, signed=added),
            *_cells(row.difference, unit, 3, signed=True),
            f"{row.status}{mark}",
        )
    console.print(table)
    for number, note in enumerate(notes, start=1):
        console.print(f"[{number}] {note}", highlight=False, markup=False)
    say("")


def _print_check(rows: Sequence[Comparison]) -> None:
    """What is out of tolerance, what cannot be compared and why, and how many rows are fine."""
    from nas.paper import Status

    for status in ("out", "not reproducible", "cited"):
        of_status = [row for row in rows if row.status == status]
        for note in dict.fromkeys(row.note for row in of_status):
            say(f"{status}: {note}" if note else status)
            for row in of_status:
                if row.note == note:
                    apart = f": {_in_words(row.difference)}" if row.difference else ""
                    say(f"    table {row.row.table}, {row.network.name}{apart}")
    counted = Counter(row.status for row in rows)
    say(", ".join(f"{counted[status]} {status}" for status in get_args(Status)))


def _in_words(difference: Figures) -> str:
    words = []
    if difference.params is not None:
        words.append(f"{difference.params:+.3f}M params")
    if difference.mflops is not None:
        words.append(f"{difference.mflops:+.2f} MFLOPs")
    return ", ".join(words)


def _cells(figures: Figures | None, unit: str, places: int, *, signed: bool) -> tuple[str, str]:
    """Parameters and multiply-adds as text; the latter with so many places, or two of MFLOPs."""
    if figures is None:
        return "", ""
    in_millions = unit == "MFLOPs"
    flops = figures.mflops
    if flops is not None and not in_millions:
        flops /= 1000
    return (
        _number(figures.params, places, signed=signed),
        _number(flops, 2 if in_millions else places, signed=signed),
    )


def _number(value: float | None, places: int, *, signed: bool = False) -> str:
    if value is None:
        return ""
    return f"{value:+.{places}f}" if signed else f"{value:.{places}f}"


def _as_json(row: Comparison) -> dict[str, Any]:
    spec = row.network.spec
    return {
        "table": row.row.table,
        "network": row.network.name,
        "difference_to": row.network.less or None,
        "mflops_compared_above": row.network.flops_from or None,
        "error": row.row.error,
        "error_top5": row.row.error_top5,
        "error_320": row.row.error_320,
        "published": _figures(row.printed),
        "ours": None if row.ours is None else _figures(row.ours),
        "difference": None if row.difference is None else _figures(row.difference),
        "status": row.status,
        "note": row.note or None,
        "source": row.row.source,
        "arch": None if spec is None else spec.model_dump(mode="json"),
    }


def _figures(figures: Figures) -> dict[str, float | None]:
    return {
        "params": None if figures.params is None else round(figures.params * 1e6),
        "mflops": None if figures.mflops is None else round(figures.mflops, 6),
    }
