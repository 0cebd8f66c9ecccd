"""``nas bench``: measures the latency of exported networks on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from blocks.errors import InvalidInput
from nas.cli.console import AsJson
from nas.exporting.places import SHIPPED, UNFINISHED


def bench(
    bundles: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="Folders of nas export or nas latency suite."),
    ],
    networks: Annotated[
        str | None, typer.Option(help="Such as onnx,ncnn or onnx-int8; default: all that can run.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Number of threads.")] = 1,
    warmup: Annotated[int, typer.Option(min=0, help="Number of untimed calls.")] = 20,
    seconds: Annotated[
        float | None, typer.Option(help="Least time per network; default 2, for a suite 0.2.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 if the machine is busy.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the latency of every artifact in bundles or latency benchmark suites.

    The artifacts take turns, one image at a time. The folder's own bench.py does the same on a device
    without nas.

    Example: nas bench runs/first/export/0011 --networks onnx
    """
    for bundle in bundles:
        if not bundle.is_dir():
            raise InvalidInput(f"{bundle}: no such folder; allowed: one that nas export wrote")
        if (bundle / UNFINISHED).exists():
            raise InvalidInput(
                f"{bundle}: an unfinished suite; run the same nas latency suite again"
            )
    options = ["--threads", str(threads), "--warmup", str(warmup)]
    options += ["--seconds", str(seconds)] if seconds is not None else []
    options += ["--networks", networks] if networks else []
    options += ["--strict"] if strict else []
    options += ["--json"] if as_json else []
    # A separate process runs this project's program, not the copy in the folder.
    command = [sys.executable, str(SHIPPED / "bench.py"), *map(str, bundles), *options]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("bench.py: ")]
    for line in lines or done.stderr.splitlines()[-1:] * bool(done.returncode):
        typer.echo(f"nas: {line.removeprefix('bench.py: ')}", err=True)
    if done.returncode:
        raise typer.Exit(done.returncode)
