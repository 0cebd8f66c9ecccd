"""``nas data``: photographs, before anything is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import nas
from nas.api.checking import photographs_at
from nas.api.importing import importing
from nas.cli.completion import complete_paths, complete_runs_and_files
from nas.cli.console import AsJson, print_json, say
from nas.cli.group import GroupedCommand
from nas.cli.photographs import GroupBy, Splits

if TYPE_CHECKING:
    from nas.data.checking.result import ClassCount, DataCheck, Finding

MOST_CLASSES = 12
"""Classes that are listed for people."""
MOST_NAMED = 3
"""Findings of a kind that are named for people."""

data = typer.Typer(
    name="data",
    help="Check photographs before anything is trained on them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@data.callback()
def _data() -> None:
    """Check photographs before anything is trained on them."""


@data.command(cls=GroupedCommand)
def check(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="Photographs in any layout that --data takes.",
            autocompletion=complete_paths,
        ),
    ],
    group_by: GroupBy = None,
    splits: Splits = None,
    input_size: Annotated[
        int | None, typer.Option(help="Pixels a side that networks are given; default 224.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|CHECKPOINT",
            help="Also name suspected wrong labels, by this network or the knee of this run.",
            autocompletion=complete_runs_and_files,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; default runs/data-check/NAME.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find copies, damaged files, wrong labels and more.

    It counts classes, sizes and formats, and looks above all for copies on both sides of a split. It
    writes a page with the pictures, findings.csv and data-check.json. The photographs are decoded
    once, for the next search too; nothing is written into their folder. Exit code 0 when they could be
    checked, whatever was found.

    Example: nas data check photos
    """
    photographs_at(path)
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.data.checking.check import check_photos  # noqa: F401
    found = nas.check_data(
        path, group_by=group_by, splits=splits, input_size=input_size, network=network, out=out
    )
    if as_json:
        print_json(found.document)
        return
    for line in _lines(found):
        say(line)


def _lines(found: DataCheck) -> list[str]:
    from nas.data.checking.result import KINDS
    from nas.report.data_check import facts

    lines = [f"{found.source}: {found.understood}", *_table(found.classes)]
    # The first two are in the first line.
    lines += [f"{name}: {value}" for name, value in facts(found)[2:]]
    lines += [f"note: {note}" for note in found.notes]
    for kind, count in found.counts.items():
        if kind != "not read":  # a note says it
            lines.append(f"{KINDS[kind][0]}: {count:,}")
            lines += [f"  {_line(one)}" for one in found.of(kind)[:MOST_NAMED]]
            lines += [f"  and {count - MOST_NAMED:,} more"] if count > MOST_NAMED else []
    if found.is_clean:
        lines.append("nothing was found that is wrong")
    lines += [f"next: {command}" for command in found.commands]
    return [*lines, f"page: {found.page}"]


def _line(finding: Finding) -> str:
    names = " = ".join(one for one in (finding.path, finding.other) if one)
    return f"{names}: {finding.what}" if names else finding.what


def _table(classes: tuple[ClassCount, ...]) -> list[str]:
    """Counts by class and split; of many classes the largest and the smallest."""
    shown = classes
    if len(classes) > MOST_CLASSES:
        by_size = sorted(classes, key=lambda one: -one.images)
        shown = (*by_size[: MOST_CLASSES // 2], *by_size[-MOST_CLASSES // 2 :])
    width = max([5, *(len(one.name) for one in shown)])
    lines = [f"{'class':{width}} {'train':>7} {'val':>7} {'test':>7}"]
    lines += [f"{one.name:{width}} {one.train:7,} {one.val:7,} {one.test:7,}" for one in shown]
    if len(shown) < len(classes):
        lines.append(f"the largest and the smallest of {len(classes):,} classes")
    return lines
