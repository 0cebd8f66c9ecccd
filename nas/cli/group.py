"""The commands by name: a command's module is imported when it is called, or its help is asked for."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from blocks.errors import InvalidInput

COMMANDS: dict[str, str] = {
    "data": "Check photographs before anything is trained on them.",
    "search": "Search a space for networks of low error and low cost.",
    "runs": "List the runs, or delete one.",
    "pareto": "Print the front of a run, finished or not, and pick a network from it.",
    "confirm": "Train the networks that may be on the front again with other seeds.",
    "count": "Count params, MFLOPs (multiply-adds) and activations of a network.",
    "train": "Train a network on all training images, then read the test set once.",
    "evaluate": "Evaluate a network on labelled images, and find wrong labels and duplicates.",
    "export": "Export a trained network, and compare every file with PyTorch.",
    "demo": "Try a bundle on images or the camera, in a browser on this machine, until Ctrl-C.",
    "bench": "Measure the latency of every artifact in bundles or latency benchmark suites.",
    "report": "Write report.html of a run, finished or not: one file that needs no network.",
    "dashboard": "Open Optuna's dashboard on a run, on this machine alone, until Ctrl-C.",
    "attention": "Measure the attention of every SK unit at several object scales.",
    "tables": "Print the tables of the SKNet, SENet and GCNet papers beside our counts.",
    "doctor": "Check packages, machine and runtimes, and estimate the cost of a search.",
    "latency": "Measure a device once; a search then predicts the latency of its networks.",
}
"""Name -> first line of its help. ``nas/cli/NAME.py`` has a function, or a typer app, of that name."""


class GroupedCommand(TyperCommand):
    """A command whose help groups the options by their ``rich_help_panel``, as plain text.

    It takes no empty values. An empty path would be the folder at hand, and an empty name is none; both
    come from shell variables that are not set.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse words that are not empty."""
        for place, word in enumerate(args):
            name, equals, value = word.partition("=")
            before = args[place - 1] if place else ""
            if not word.strip():
                name = before if before.startswith("-") else "argument"
            elif not (word.startswith("--") and equals and not value.strip()):
                continue
            raise InvalidInput(f"{name}: empty; give a value, or leave it out")
        return list(super().parse_args(ctx, args))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for the arguments, and one for each group of options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            is_argument = param.param_type_name == "argument"
            title = "Arguments" if is_argument else getattr(param, "rich_help_panel", None)
            sections.setdefault(title or "Options", []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class _Commands(MutableMapping[str, Any]):
    """The commands of ``nas``, each made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _load(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError("the commands are fixed")


class CommandGroup(TyperGroup):
    """``nas`` itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the workflow."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with their line of help; imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _load(name: str) -> Any:
    """Import the module of a command and make typer's command of what it has."""
    what = getattr(import_module(f"nas.cli.{name}"), name)
    if not isinstance(what, typer.Typer):
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, cls=GroupedCommand)(what)
        what = app
    command = typer.main.get_command(what)
    command.name = name
    return command
