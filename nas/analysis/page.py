"""Writes the page of an analysis and its files."""

from __future__ import annotations

import json
from pathlib import Path

from blocks.errors import InvalidInput
from nas.analysis import figures
from nas.analysis.analyse import Analysis
from nas.analysis.shift import interval, sentence, stage_shifts, unit_shifts
from nas.analysis.tables import csv_files, document
from nas.report import assets
from nas.runs import write_text

PAGE = "attention.html"
DOCUMENT = "attention.json"
_TEMPLATE = Path(__file__).with_name("attention.html.jinja")


def check_folder(folder: Path) -> None:
    """Raise InvalidInput if the folder cannot be made, before any work is done."""
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise InvalidInput(f"{path}: a file; allowed: a new or an existing folder")


def write_analysis(analysis: Analysis, folder: Path) -> Path:
    """Write the tables, the document and the page into ``folder``; return the path of the page.

    Files of these names are replaced atomically; others stay.
    """
    for name, text in csv_files(analysis).items():
        write_text(folder / name, text)
    write_text(folder / DOCUMENT, json.dumps(document(analysis), indent=2) + "\n")
    write_text(folder / PAGE, render(analysis))
    return folder / PAGE


def render(analysis: Analysis) -> str:
    """The page as self-contained HTML."""
    scripts = assets.scripts()
    attention = analysis.attention
    return assets.template(_TEMPLATE).render(
        scripts=scripts,
        permitted=" ".join(script.permit for script in scripts),
        style=assets.style(),
        analysis=analysis,
        sentences=[sentence(stage, attention.scales) for stage in stage_shifts(attention)],
        rows=[
            (
                one.unit,
                f"{one.difference[0].mean():+.4f}",
                [(interval(shift), shift.direction) for shift in unit_shifts(one.difference)],
            )
            for one in attention.units
        ],
        scales=[f"{scale:g}" for scale in attention.scales],
        group=figures.group_size(analysis.unit.channels),
        channels=figures.channels_figure(analysis),
        difference=figures.difference_figure(analysis),
        shift=figures.shift_figure(analysis),
        classes=figures.class_figures(analysis),
        files=[*csv_files(analysis), DOCUMENT],
    )
