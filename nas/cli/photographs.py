"""Options of all commands that read photographs."""

from __future__ import annotations

from typing import Annotated

import typer

PANEL = "Photographs"

GroupBy = Annotated[
    str | None,
    typer.Option(
        help="Keep photographs of one group on one side of every split: a column of the table, or a "
        "regular expression on their paths.",
        rich_help_panel=PANEL,
    ),
]
Splits = Annotated[
    str | None,
    typer.Option(
        help="splits.csv of an earlier run, whose photographs stay in their splits.",
        rich_help_panel=PANEL,
    ),
]
OnBadImage = Annotated[
    str | None,
    typer.Option(
        help="Photographs that cannot be decoded: stop (default) or skip.", rich_help_panel=PANEL
    ),
]
