"""``nas attention``: whether larger objects draw the attention to larger kernels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.api.choosing import check_subject, chosen_checkpoint, made_from
from nas.api.importing import importing
from nas.cli.choice import Pick, Trial
from nas.cli.completion import complete_data, complete_runs_and_files
from nas.cli.console import AsJson, console, print_json, say
from nas.cost import Budgets
from nas.data.config import shown_name

if TYPE_CHECKING:
    from nas.analysis import Analysis

WORDS = {"positive": "up", "negative": "down"}


def attention(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT|RUN",
            help="A checkpoint, or a run.",
            autocompletion=complete_runs_and_files,
        ),
    ],
    trial: Trial = None,
    pick: Pick = None,
    data: Annotated[
        str | None,
        typer.Option(help="Images; default those of the training.", autocompletion=complete_data),
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where the images are looked for.")] = None,
    scales: Annotated[
        str | None,
        typer.Option(help="Object scales, 1.0 among them; default 1.0,1.5,2.0."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Only the first N validation images, in their fixed order.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Whose channels are drawn; default one in the middle.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; default runs/RUN/attention/NNNN.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the attention of every SK unit at several object scales.

    As in SKNet's Figures 3 and 4: on validation images, with averaged weights. Of a run, the full
    training of the trial is taken when there is one, else the search's own.

    Example: nas attention first --pick knee
    """
    check_subject(what, trial, pick)
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.analysis import Request, analyse, check_folder, document, write_analysis
    checkpoint = chosen_checkpoint(what, trial, pick, Budgets())
    folder = out or made_from(checkpoint, "attention")
    check_folder(folder)
    analysis = analyse(Request(checkpoint, data, data_dir, _scales(scales), limit, unit))
    page = write_analysis(analysis, folder)
    if as_json:
        print_json(document(analysis) | {"folder": str(folder), "page": str(page)})
        return
    _print(analysis)
    say(f"page:   {page}")
    say(f"tables: {folder}/*.csv")


def _scales(text: str | None) -> tuple[float, ...]:
    if text is None:
        from nas.analysis import SCALES

        return SCALES
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput(f"--scales {text}: allowed: numbers with commas between") from None


def _print(analysis: Analysis) -> None:
    from nas.analysis import interval, sentence, stage_shifts, unit_shifts

    scales = analysis.attention.scales
    say(f"{analysis.checkpoint}: {analysis.info.spec.label}")
    data = shown_name(analysis.data.name)
    say(f"{plural(analysis.images, 'image')} of {data}, split: {analysis.split}")
    several = len({one.unit.kernels for one in analysis.attention.units}) > 1
    title = "weight of the larger kernel less that of the smaller"
    if not several:
        smallest, *_, largest = sorted(analysis.attention.units[0].unit.kernels)
        title = f"weight of the {largest}x{largest} kernel less that of the {smallest}x{smallest}"
    table = Table(title=f"{title} (± half a 95 % interval)", title_justify="left")
    table.add_column("unit")
    if several:
        table.add_column("kernels")
    table.add_column("at 1x", justify="right")
    for scale in scales[1:]:
        table.add_column(f"shift at {scale:g}x", justify="right")
        table.add_column("")
    for one in analysis.attention.units:
        cells = [",".join(map(str, one.unit.kernels))] if several else []
        cells.append(f"{one.difference[0].mean():+.4f}")
        for shift in unit_shifts(one.difference):
            cells += [interval(shift), WORDS.get(shift.direction, "")]
        table.add_row(one.unit.name, *cells)
    console.print(table)
    for stage in stage_shifts(analysis.attention):
        say(sentence(stage, scales))
    say("Intervals are over the images, for this one training; another seed may differ.")
