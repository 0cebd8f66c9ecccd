"""How all commands print."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

console = Console()

AsJson = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]


def say(text: str) -> None:
    """Print one line for people, as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print ``value`` for programs."""
    print(json.dumps(value, indent=2))
