"""``nas report``: one page about a run."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.console import AsJson, print_json, say
from nas.report import write_report
from nas.runs import RunFolder


def report(
    run: Annotated[str, typer.Argument(help="Name of the run.")], as_json: AsJson = False
) -> None:
    """Write report.html of a run, finished or not: one file that needs no network.

    Example: nas report first
    """
    page = write_report(RunFolder.existing(run))
    if as_json:
        print_json({"report": str(page)})
        return
    say(f"report: {page}")
