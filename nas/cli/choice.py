"""Options that choose a network of a run, and what they come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from blocks.errors import InvalidInput
from nas.cli.completion import complete_picks, complete_trials
from nas.cli.importing import importing
from nas.runs.folder import RunFolder

if TYPE_CHECKING:
    from nas.cost import Budgets
    from nas.front import Front, FrontPoint

BUDGETS = "Budgets"
"""Heading of these options in a help text."""

MaxMflops = Annotated[
    float | None,
    typer.Option(help="Limit: million multiply-adds per image.", rich_help_panel=BUDGETS),
]
MaxParams = Annotated[
    float | None, typer.Option(help="Limit: parameters.", rich_help_panel=BUDGETS)
]
MaxActivations = Annotated[
    float | None, typer.Option(help="Limit: activations per image.", rich_help_panel=BUDGETS)
]
MaxLatencyMs = Annotated[
    float | None,
    typer.Option(help="Limit: milliseconds per image on the --device.", rich_help_panel=BUDGETS),
]
Trial = Annotated[
    int | None,
    typer.Option(help="Number of the trial to take.", autocompletion=complete_trials),
]
Pick = Annotated[
    str | None,
    typer.Option(help="Take a point of the front: knee.", autocompletion=complete_picks),
]


def make_budgets(
    max_mflops: float | None,
    max_params: float | None,
    max_activations: float | None,
    max_latency_ms: float | None,
) -> Budgets:
    """Budgets from the command line's options.

    Raises:
        InvalidInput: A limit that is not a positive number.
    """
    limits = {
        "max_mflops": max_mflops,
        "max_params": max_params,
        "max_activations": max_activations,
        "max_latency_ms": max_latency_ms,
    }
    for name, value in limits.items():
        if value is not None and not 0 < value < float("inf"):
            option = "--" + name.replace("_", "-")
            raise InvalidInput(f"{option} {value:g}: allowed: a number above 0")
    from nas.cost import Budgets

    return Budgets(**limits)


def choose(run: RunFolder, front: Front, pick: str | None, budgets: Budgets) -> FrontPoint:
    """The point of the ``front`` of ``run`` that the options name: within budgets, or the knee."""
    with importing():
        from nas.front import pick_knee, pick_within
        from nas.search import read_config

    if pick not in (None, "knee"):
        raise InvalidInput(f"--pick {pick}: allowed: knee")
    if not budgets.is_empty:
        if pick is not None:
            raise InvalidInput("--pick and a budget both choose; allowed: one of them")
        config = read_config(run)
        if budgets.max_latency_ms is not None and config.device is None:
            raise InvalidInput(f"--max-latency-ms: {run.name} was searched without --device")
        return pick_within(front, budgets, config.costs)
    return pick_knee(front)


def chosen_trial(run: RunFolder, trial: int | None, pick: str | None, budgets: Budgets) -> int:
    """The number of the trial that the options name; it has a checkpoint.

    Raises:
        InvalidInput: There is no such trained trial, or both were given.
    """
    if trial is None:
        with importing():
            from nas.search import read_front

        return choose(run, read_front(run), pick, budgets).trial
    if pick is not None or not budgets.is_empty:
        raise InvalidInput("--trial and --pick or a budget both choose; allowed: one of them")
    if trial < 0 or not run.trial(trial).checkpoint.is_file():
        have = sorted(int(p.parent.name) for p in run.path.glob("trials/*/checkpoint.pt"))
        listed = ", ".join(map(str, have[:20])) + (", ..." if len(have) > 20 else "")
        raise InvalidInput(f"{run.path}: no trained trial {trial}; there are: {listed or 'none'}")
    return trial


def chosen_checkpoint(what: str, trial: int | None, pick: str | None, budgets: Budgets) -> Path:
    """The checkpoint that a command names: a file, or a trained network of a run.

    Of a run, the full training of the trial is taken when there is one, else the search's own.

    Raises:
        InvalidInput: There is no such run or trained trial.
    """
    if names_file(what, trial, pick):
        return Path(what)
    run = RunFolder.existing(what)
    return best_checkpoint(run, chosen_trial(run, trial, pick, budgets))


def best_checkpoint(run: RunFolder, trial: int) -> Path:
    """Of the full training of a trial when there is one, else of the search's own."""
    full = run.full_training(f"{trial:04d}")
    return (full if full.result.is_file() else run.trial(trial)).checkpoint


def made_from(checkpoint: Path, kind: Literal["export", "attention"]) -> Path:
    """runs/RUN/KIND/NNNN for a checkpoint in runs/RUN/(trials|train)/NNNN; else beside the file."""
    folder = checkpoint.parent
    if folder.parent.name in ("trials", "train"):
        run = RunFolder(folder.parent.parent)
        return run.export(folder.name) if kind == "export" else run.attention(folder.name)
    return folder / f"{checkpoint.stem}-{kind}"


def names_file(text: str, trial: int | None, pick: str | None) -> bool:
    """Whether an argument that may be a run or a file names a file.

    Raises:
        InvalidInput: It does, and a trial of a run was asked for as well.
    """
    is_file = Path(text).suffix in (".yaml", ".yml", ".pt", ".ckpt") or Path(text).is_file()
    if is_file and (trial is not None or pick is not None):
        raise InvalidInput(f"--trial and --pick choose from a run; {text} is a file")
    return is_file


def check_subject(what: str, trial: int | None, pick: str | None) -> None:
    """Raise InvalidInput when ``what`` is neither a file nor a run, before large imports."""
    if not names_file(what, trial, pick):
        RunFolder.existing(what)
