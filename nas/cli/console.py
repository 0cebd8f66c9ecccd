"""How all commands print."""

from __future__ import annotations

import json
from typing import IO, Annotated, Any, cast

import typer
from rich.console import Console

from nas.cli.output import Outlet

console = Console(file=cast(IO[str], Outlet()))

AsJson = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]


def say(text: str) -> None:
    """Print one line for people, as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print ``value`` for programs."""
    print(json.dumps(value, indent=2))
