"""``nas export``: a bundle for the device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from blocks.errors import InvalidInput
from nas.cli.choice import (
    MaxActivations,
    MaxLatencyMs,
    MaxMflops,
    MaxParams,
    Pick,
    Trial,
    best_checkpoint,
    check_subject,
    chosen_checkpoint,
    made_from,
    make_budgets,
)
from nas.cli.completion import complete_runs_and_files
from nas.cli.console import AsJson, console, print_json, say
from nas.cli.importing import importing
from nas.export.targets import TARGETS
from nas.runs.folder import RunFolder

if TYPE_CHECKING:
    from nas.export import Artifact, Manifest


def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT|RUN",
            help="A checkpoint, or a run.",
            autocompletion=complete_runs_and_files,
        ),
    ],
    trial: Trial = None,
    pick: Pick = None,
    max_mflops: MaxMflops = None,
    max_params: MaxParams = None,
    max_activations: MaxActivations = None,
    max_latency_ms: MaxLatencyMs = None,
    front: Annotated[bool, typer.Option("--front", help="Every point of the run's front.")] = False,
    targets: Annotated[str, typer.Option(help=f"Any of: {', '.join(TARGETS)}.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="Also in 8-bit integers.")] = False,
    images: Annotated[
        int | None, typer.Option(min=1, help="Held-out images to measure on; default all.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the bundle; default runs/RUN/export/NNNN.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export a trained network, and compare every file with PyTorch.

    Of a run, the full training of the trial is taken when there is one, else the search's own.

    Example: nas export first --pick knee --targets onnx,executorch,litert,ncnn --int8
    """
    names = list(dict.fromkeys(name.strip() for name in targets.split(",")))
    for name in names:
        TARGETS.check(name)
    check_subject(what, trial, pick)
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.export import export_bundle, installed
    there, missing = installed(names)
    budgets = make_budgets(max_mflops, max_params, max_activations, max_latency_ms)
    if front:
        if trial is not None or pick is not None or out is not None or not budgets.is_empty:
            raise InvalidInput(
                "--front takes every point; --trial, --pick, --out and budgets do not"
            )
        checkpoints = list(_of_front(what))
    else:
        checkpoints = [chosen_checkpoint(what, trial, pick, budgets)]
    for line in missing:
        typer.echo(f"nas: {line}", err=True)
    done: list[dict[str, object]] = []
    for checkpoint in checkpoints:
        bundle = out or made_from(checkpoint, "export")
        manifest = export_bundle(checkpoint, bundle, there, int8=int8, images=images)
        done.append(manifest.model_dump(mode="json") | {"bundle": str(bundle)})
        if not as_json:
            _print(manifest, checkpoint, bundle)
    if as_json:
        print_json(done if front else done[0])


def _of_front(what: str) -> Iterator[Path]:
    """The checkpoint of every point of a run's front."""
    from nas.search import read_front

    run = RunFolder.existing(what)
    points = read_front(run).points
    if not points:
        raise InvalidInput(f"{run.path}: no trained trial, so no front")
    for point in points:
        yield best_checkpoint(run, point.trial)


def _print(manifest: Manifest, checkpoint: Path, bundle: Path) -> None:
    from nas.export import MOST_LOST

    accuracy = manifest.accuracy
    say(f"{checkpoint} -> {bundle}")
    table = Table(
        title=f"{100 * accuracy.top1:.2f} % in PyTorch, of {accuracy.images:,} "
        f"{'test' if accuracy.split == 'test' else 'validation'} images",
        title_justify="left",
    )
    table.add_column("network", no_wrap=True)
    for column in ("bytes", "accuracy %", "same class %", "difference", "p50 ms"):
        table.add_column(column, justify="right")
    for artifact in manifest.artifacts:
        table.add_row(*_row(artifact))
    console.print(table)
    for artifact in manifest.artifacts:
        if artifact.float_layers:
            say(f"{artifact.name}: in float32 remain {', '.join(artifact.float_layers)}")
        lost = accuracy.top1 - artifact.accuracy.top1
        if lost > MOST_LOST:
            say(f"{artifact.name}: loses {100 * lost:.2f} points of accuracy")
        if artifact.undelegated:
            say(f"{artifact.name}: not delegated: {', '.join(artifact.undelegated)}")
    if any(artifact.latency and artifact.latency.busy for artifact in manifest.artifacts):
        say("the times spread widely, the machine is busy: nas bench measures again")
    say(f"next: nas bench {bundle}; python {bundle / 'predict.py'} IMAGE")


def _row(artifact: Artifact) -> tuple[str, ...]:
    parity, latency = artifact.parity, artifact.latency
    return (
        artifact.name,
        f"{artifact.bytes:,}",
        f"{100 * artifact.accuracy.top1:.2f}",
        f"{100 * parity.top1_agreement:.2f}",
        f"{parity.max_abs_difference:.1e}",
        f"{latency.p50:.3f}{'?' if latency.busy else ''}" if latency else "-",
    )
