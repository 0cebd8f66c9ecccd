"""``nas bench``: how long the networks of bundles take on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from blocks.errors import InvalidInput
from nas.cli.console import AsJson
from nas.export.places import SHIPPED, UNFINISHED


def bench(
    bundles: Annotated[
        list[Path],
        typer.Argument(metavar="BUNDLE...", help="Folders of nas export or nas latency kit."),
    ],
    networks: Annotated[
        str | None, typer.Option(help="Such as onnx,ncnn or onnx-int8; default all that can run.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Of the processor.")] = 1,
    warmup: Annotated[int, typer.Option(min=0, help="Untimed calls.")] = 20,
    seconds: Annotated[
        float | None, typer.Option(help="A network, at least; default 2, of a kit 0.2.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 when the times say the machine is busy.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the latency of every artifact, one image at a time.

    The artifacts take turns.

    A folder may also be a kit of nas latency kit.

    The bundle's own bench.py does the same on the device, where nas need not be.

    Example: nas bench runs/first/export/0011 --networks onnx
    """
    for bundle in bundles:
        if not bundle.is_dir():
            raise InvalidInput(f"{bundle}: no such folder; allowed: one that nas export wrote")
        if (bundle / UNFINISHED).exists():
            raise InvalidInput(f"{bundle}: an unfinished kit; the same nas latency kit goes on")
    options = ["--threads", str(threads), "--warmup", str(warmup)]
    options += ["--seconds", str(seconds)] if seconds is not None else []
    options += ["--networks", networks] if networks else []
    options += ["--strict"] if strict else []
    options += ["--json"] if as_json else []
    # A process of its own, and this project's program, not the one that lies in the folder.
    command = [sys.executable, str(SHIPPED / "bench.py"), *map(str, bundles), *options]
    answer = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    lines = [line for line in answer.stderr.splitlines() if line.startswith("bench.py: ")]
    for line in lines or answer.stderr.splitlines()[-1:] * bool(answer.returncode):
        typer.echo(f"nas: {line.removeprefix('bench.py: ')}", err=True)
    if answer.returncode:
        raise typer.Exit(answer.returncode)
