"""``nas report``: one page about a run."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.api.importing import importing
from nas.cli.completion import complete_runs
from nas.cli.console import AsJson, print_json, say
from nas.runs.folder import RunFolder


def report(
    run: Annotated[str, typer.Argument(help="Name of the run.", autocompletion=complete_runs)],
    as_json: AsJson = False,
) -> None:
    """Write report.html of a run, finished or not: one file that needs no network.

    Example: nas report first
    """
    folder = RunFolder.existing(run)
    with importing():
        from nas.report import write_report
    page = write_report(folder)
    if as_json:
        print_json({"report": str(page)})
        return
    say(f"report: {page}")
