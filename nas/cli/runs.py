"""``nas runs``: the runs there are, and deleting one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.api.importing import importing
from nas.cli.completion import complete_runs
from nas.cli.console import AsJson, console, print_json, say
from nas.errors import WorkFailed
from nas.folders import logs_dir, runs_dir
from nas.runs.folder import RunFolder
from nas.training.recipe import metric_text, metric_unit

if TYPE_CHECKING:
    from nas.report.listing import RunSummary


def runs(
    delete: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Delete this run: its folder and its logs.",
            autocompletion=complete_runs,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the runs, or delete one.

    Example: nas runs --delete first
    """
    if delete is not None:
        _delete(delete, yes, as_json)
        return
    if yes:
        raise InvalidInput("--yes: only with --delete NAME")
    if not any(runs_dir().glob("*/search.yaml")):
        if as_json:
            print_json([])
        else:
            say("there are no runs yet")
        return
    with importing():
        from nas.report.listing import list_runs
    found = list_runs()
    if as_json:
        print_json([_as_json(one) for one in found])
    else:
        _print(found)


def _print(found: tuple[RunSummary, ...]) -> None:
    from rich import box
    from rich.table import Table

    # Everything but a long name stays on one line of 80 columns.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("run", overflow="fold")
    table.add_column("state", no_wrap=True)
    percent = all(metric_unit(one.metric) == "%" for one in found)
    for name in ("trained", "best error %" if percent else "best error", "front"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("last change", no_wrap=True)
    for one in found:
        table.add_row(
            one.name,
            one.state,
            "-" if one.wanted is None else f"{one.trained} of {one.wanted}",
            _best(one, percent),
            "-" if one.wanted is None else str(one.front_size),
            f"{one.changed:%Y-%m-%d %H:%M}",
        )
    console.print(table)
    for one in found:
        if one.problem:
            say(f"{one.name}: {one.problem}")


def _best(one: RunSummary, percent: bool) -> str:
    """The least error; with its unit, unless the heading has it."""
    if one.best_error is None:
        return "-"
    text = metric_text(one.metric, one.best_error)
    return text.partition(" ")[0] if percent else text


def _as_json(one: RunSummary) -> dict[str, object]:
    return {
        "name": one.name,
        "state": one.state,
        "trained": one.trained,
        "wanted": one.wanted,
        "best_error": one.best_error,
        "metric": one.metric,
        "front_size": one.front_size,
        "changed": one.changed.isoformat(timespec="seconds"),
        "problem": one.problem or None,
    }


def _delete(name: str, yes: bool, as_json: bool) -> None:
    from nas.runs.removal import removable_run, remove_run

    run = removable_run(name)
    fields = _fields(run)
    kept, logs = _study_elsewhere(run, fields), _logs_elsewhere(run, fields)
    if not yes:
        _ask(run)
    removed = remove_run(run)
    if as_json:
        print_json(
            {
                "deleted": [str(path) for path in removed],
                "study_kept": kept,
                "logs_kept": logs and str(logs),
            }
        )
        return
    say(f"deleted: {', '.join(map(str, removed))}")
    if kept is not None:
        say(f"kept:    the study {run.name} in {kept}")
    if logs is not None:
        say(f"kept:    its logs in {logs}")


def _ask(run: RunFolder) -> None:
    trials = sum(1 for _ in run.path.glob("trials/*"))
    # On stderr, for stdout is what programs read.
    typer.echo(f"delete {run.path} with {plural(trials, 'trial')}? [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        raise InvalidInput("--delete: nobody answered; allowed: --yes, to delete without asking")
    if answer.strip().lower() not in ("y", "yes"):
        raise WorkFailed("nothing was deleted")


def _fields(run: RunFolder) -> dict[str, Any]:
    """What search.yaml says; a damaged one says nothing."""
    from blocks.yaml_files import read_yaml
    from nas.searching.execution import nested

    try:
        fields = read_yaml(run.config)
    except InvalidInput:
        return {}
    return nested(fields) if isinstance(fields, dict) else {}


def _execution(fields: dict[str, Any], name: str) -> Any:
    """A field of ``execution``; None if there is none."""
    execution = fields.get("execution")
    return execution.get(name) if isinstance(execution, dict) else None


def _logs_elsewhere(run: RunFolder, fields: dict[str, Any]) -> Path | None:
    """Logs in a folder that search.yaml names; the file may come from anywhere, so they are kept."""
    folder = _execution(fields, "logs_dir")
    if not isinstance(folder, str) or Path(folder).resolve() == logs_dir().resolve():
        return None
    logs = Path(folder) / run.name
    return logs if logs.is_dir() else None


def _study_elsewhere(run: RunFolder, fields: dict[str, Any]) -> str | None:
    """The database outside the run's folder that keeps its study, without its password."""
    storage = _execution(fields, "storage")
    if not isinstance(storage, str):
        return None
    with importing():
        from nas.searching.database import database_url, is_file, name_of
    try:
        url = database_url(storage)
    except InvalidInput:
        return None  # a damaged file says nothing
    inside = is_file(url) and Path(str(url.database)).resolve().is_relative_to(run.path.resolve())
    return None if inside else name_of(url)
