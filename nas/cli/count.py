"""``nas count``: what a network costs, by closed form and by fvcore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from nas.api.importing import importing
from nas.cli.completion import complete_devices
from nas.cli.console import AsJson, console, print_json, say
from nas.errors import WorkFailed


def count(
    arch: Annotated[Path, typer.Argument(help="YAML file of an ArchSpec.")],
    device: Annotated[
        str | None,
        typer.Option(
            help="Also the latency there: one of nas latency import.",
            autocompletion=complete_devices,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count params, MFLOPs (multiply-adds) and activations of a network.

    Example: nas count runs/first/trials/0007/arch.yaml
    """
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from blocks import ArchSpec
        from nas.cost import count as count_closed_form
        from nas.cost import fvcore_count, load_table
    spec = ArchSpec.from_yaml(arch)
    table = None if device is None else load_table(device)
    milliseconds = None if table is None else table.predict(spec)
    ours, reference_counter = count_closed_form(spec), fvcore_count(spec)
    figures = {
        "params": (ours.params, reference_counter.params),
        "mflops": (ours.mflops, reference_counter.mflops),
        "activations": (ours.activations, reference_counter.activations),
    }
    if as_json:
        print_json(
            {
                "key": spec.key,
                "closed_form": {name: pair[0] for name, pair in figures.items()},
                "fvcore": {name: pair[1] for name, pair in figures.items()},
                "latency_ms": milliseconds,
                "fvcore_mflops_with_norm": reference_counter.mflops_with_norm,
                "fvcore_uncounted": dict(reference_counter.uncounted),
            }
        )
    else:
        columns = Table("", "closed form", "fvcore")
        for name, (mine, theirs) in figures.items():
            columns.add_row(name, f"{mine:,}", f"{theirs:,}")
        console.print(columns)
        say(f"fvcore with BatchNorm and pooling: {reference_counter.mflops_with_norm:,} mflops")
        listed = ", ".join(f"{name} ({times})" for name, times in reference_counter.uncounted)
        say(f"fvcore did not count: {listed or 'nothing'}")
        if table is not None:
            say(f"on {table.name}: {milliseconds:.3g} ms ({table.network}, from measured blocks)")
    if any(mine != theirs for mine, theirs in figures.values()):
        raise WorkFailed(f"{arch}: the closed form and fvcore disagree: a bug")
