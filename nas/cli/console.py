"""What all commands share: how they print, and how a user's word becomes a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from blocks.errors import InvalidInput
from nas.cost import Budgets
from nas.front import Front, FrontPoint, pick_knee, pick_within
from nas.runs import RunFolder, TrialFolder

console = Console()

AsJson = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]
MaxMflops = Annotated[
    float | None, typer.Option(help="Hard budget: million multiply-adds an image.")
]
MaxParams = Annotated[float | None, typer.Option(help="Hard budget: learnable numbers.")]
MaxActivations = Annotated[float | None, typer.Option(help="Hard budget: activations an image.")]
Trial = Annotated[int | None, typer.Option(help="Number of the trial to take.")]
Pick = Annotated[str | None, typer.Option(help="Take a point of the front: knee.")]


def say(text: str) -> None:
    """Print one line for people, as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print ``value`` for programs."""
    print(json.dumps(value, indent=2))


def make_budgets(
    max_mflops: float | None, max_params: float | None, max_activations: float | None
) -> Budgets:
    """Budgets from the command line's options.

    Raises:
        InvalidInput: A limit that is not a positive number.
    """
    limits = {
        "max_mflops": max_mflops,
        "max_params": max_params,
        "max_activations": max_activations,
    }
    for name, value in limits.items():
        if value is not None and not 0 < value < float("inf"):
            option = "--" + name.replace("_", "-")
            raise InvalidInput(f"{option} {value:g}: allowed: a number above 0")
    return Budgets(**limits)


def choose(front: Front, pick: str | None, budgets: Budgets) -> FrontPoint:
    """The point of ``front`` that the options name: the best within budgets, or the knee."""
    if pick not in (None, "knee"):
        raise InvalidInput(f"--pick {pick}: allowed: knee")
    if not budgets.is_empty:
        return pick_within(front, budgets)
    return pick_knee(front)


def trained_trial(run: RunFolder, number: int) -> TrialFolder:
    """The folder of trial ``number``, which must have a checkpoint.

    Raises:
        InvalidInput: There is no such trained trial.
    """
    trial = run.trial(number)
    if number < 0 or not trial.checkpoint.is_file():
        have = sorted(int(p.parent.name) for p in run.path.glob("trials/*/checkpoint.pt"))
        listed = ", ".join(map(str, have[:20])) + (", ..." if len(have) > 20 else "")
        raise InvalidInput(f"{run.path}: no trained trial {number}; there are: {listed or 'none'}")
    return trial


def is_file_argument(text: str) -> bool:
    """Whether an argument that may be a run or a file names a file."""
    return Path(text).suffix in (".yaml", ".yml", ".pt", ".ckpt") or Path(text).is_file()
