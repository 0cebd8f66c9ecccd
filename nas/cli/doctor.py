"""``nas doctor``: what works on this machine, what does not, and what a search would cost."""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import psutil
import typer
from rich.markup import escape
from rich.table import Table

from blocks.wording import plural
from nas.api.importing import importing
from nas.api.options import search_config
from nas.cli.completion import complete_data, complete_spaces
from nas.cli.console import AsJson, console, print_json, say
from nas.errors import WorkFailed
from nas.training.recipe import RECIPES

if TYPE_CHECKING:
    from nas.doctor.diagnosis import Part
    from nas.doctor.machine import Machine
    from nas.doctor.packages import Package
    from nas.doctor.sweep import Estimate

FEW_SHARED = 2**30
"""Bytes of shared memory in which two processes can read batches of 500 images of 224 pixels."""


def doctor(
    space: Annotated[
        str,
        typer.Option(help="Space whose search is estimated.", autocompletion=complete_spaces),
    ] = "quickstart",
    data: Annotated[
        str, typer.Option(help="On these images.", autocompletion=complete_data)
    ] = "digits",
    data_dir: Annotated[str | None, typer.Option(help="Where the images are looked for.")] = None,
    recipe: Annotated[str | None, typer.Option(help=f"One of: {', '.join(RECIPES)}.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of a trial.")] = None,
    workers: Annotated[int | None, typer.Option(help="Trainings at a time.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check packages, machine and runtimes, and estimate the cost of a search.

    The search has ten trials. Exit code 0 when everything that a search and an ONNX export need works,
    else 1.

    Example: nas doctor --space shufflenet_v2_sk --data fashion_mnist --epochs 3 --workers 2
    """
    starting = time.time() - psutil.Process().create_time()
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.doctor.diagnosis import diagnose
        from nas.doctor.sweep import TRIALS, middle_networks
    given = {
        "space": space, "data": data, "data_dir": data_dir, "recipe": recipe, "epochs": epochs,
        "workers": workers, "trials": TRIALS, "name": "doctor",
    }  # fmt: skip
    config = search_config({key: value for key, value in given.items() if value is not None})
    networks = middle_networks(config)
    found = diagnose(config, networks, starting, _silent if as_json else _show)
    if as_json:
        print_json(found.to_json())
    if found.problems:
        raise WorkFailed(f"not all is well: {'; '.join(found.problems)}")
    if not as_json:
        say("all that a search and an ONNX export need works")


def _silent(part: Part) -> None:
    """For programs there is one answer, at the end."""


def _show(part: Part) -> None:
    from nas.doctor.disk import Disk
    from nas.doctor.machine import Machine
    from nas.doctor.runtimes import Runtime

    if isinstance(part, tuple):
        _show_packages(part)
    elif isinstance(part, Machine):
        _show_machine(part)
    elif isinstance(part, Runtime):
        works = (
            f"works; {part.done}"
            if part.done
            else f"works; its outputs are PyTorch's up to {part.difference or 0:.0e} of the largest"
        )
        say(f"runtime  {part.name}: {part.problem or works}")
    elif isinstance(part, Disk):
        free = "" if part.free is None else f", {_size(part.free)} free"
        say(f"runs     {part.folder}: {part.problem or 'can be written'}{free}")
    else:
        _show_estimate(part)


def _show_packages(packages: tuple[Package, ...]) -> None:
    from nas.doctor.packages import PROJECT

    if not packages:
        say(f"packages: {PROJECT} is not installed, so nothing says what it needs: pip install .")
        return
    table = Table("extra", "package", "installed", "required", "")
    for extra, group in groupby(packages, key=lambda package: package.extra):
        members = list(group)
        pip = escape(f"pip install '{PROJECT}[{extra}]'" if extra else f"pip install {PROJECT}")
        if extra and all(one.installed is None for one in members):
            table.add_row(extra, "all", "not installed", "", pip)
            continue
        for one in members:
            wrong = "not installed" if one.installed is None else "not allowed"
            advice = "" if one.fits else f"{wrong}: {pip}"
            table.add_row(extra or "", one.name, one.installed or "-", one.required, advice)
    console.print(table)


def _show_machine(machine: Machine) -> None:
    quota = "" if machine.quota is None else f", of which a quota grants {machine.quota:g}"
    say(f"cores    {machine.cores} of {machine.cores_of_machine}{quota}")
    if machine.busy:
        say(
            f"load     {machine.load:.1f} processes wanted a core over the last minute: if they still "
            "do, the times below are those of a busy machine"
        )
    limit = "" if machine.memory_limit is None else f", limited to {_size(machine.memory_limit)}"
    say(f"memory   {_size(machine.memory)}{limit}, {_size(machine.memory_free)} free")
    if machine.shared_memory is not None:
        left = machine.shared_memory_free or 0
        few = (
            ": too little for processes that read a data set of your own; the training reads it itself. "
            "Image folders need none"
            if left < FEW_SHARED
            else ""
        )
        say(f"shared   {_size(machine.shared_memory)} in /dev/shm, {_size(left)} free{few}")
    for gpu in machine.gpus:
        free = "" if gpu.free is None else f", {_size(gpu.free)} free"
        say(f"gpu      {gpu.name}: {_size(gpu.memory)}{free}")
    if not machine.gpus:
        say("gpu      none")


def _show_estimate(found: Estimate) -> None:
    from nas.doctor.sweep import TRIALS

    what = (
        f"{TRIALS} trials of {found.space} on {found.data}, "
        f"{plural(found.recipe_epochs, 'epoch')} each, batches of {found.batch_size}"
    )
    if found.problem is not None or found.minutes is None:
        say(f"search   {what}: cannot be estimated: {found.problem}")
        return
    say(
        f"search   {what}, {found.workers} at a time: about {found.minutes:.1f} minutes "
        f"({found.least:.1f} to {found.most:.1f})"
    )
    say(f"         by {found.how}")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
