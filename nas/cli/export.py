"""``nas export``: a bundle for the device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

import nas
from blocks.errors import InvalidInput
from nas.api.choosing import check_subject, chosen_checkpoint, front_checkpoints
from nas.api.exporting import split_names
from nas.api.importing import importing
from nas.api.notices import show_notices
from nas.cli.choice import (
    Limits,
    MaxActivations,
    MaxLatencyMs,
    MaxMflops,
    MaxParams,
    Pick,
    Trial,
    make_budgets,
)
from nas.cli.completion import complete_runs_and_files
from nas.cli.console import AsJson, console, print_json, say
from nas.exporting.targets import TARGETS
from nas.runs.folder import RunFolder

if TYPE_CHECKING:
    from nas.exporting import Artifact, Manifest


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
    limits: Limits = None,
    front: Annotated[bool, typer.Option("--front", help="Every point of the run's front.")] = False,
    targets: Annotated[str, typer.Option(help=f"Any of: {', '.join(TARGETS)}.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="Also in 8-bit integers.")] = False,
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Also in 16-bit floats: ncnn and coreml.")
    ] = False,
    io: Annotated[
        str | None,
        typer.Option(
            help="Inputs and outputs of the int8 .tflite: int8 (default), uint8 or float32; uint8 is "
            "the input of .onnx files too."
        ),
    ] = None,
    rgb: Annotated[
        bool,
        typer.Option("--rgb", help=".tflite and Core ML files of a grey network take RGB images."),
    ] = False,
    accelerator: Annotated[
        str | None,
        typer.Option(
            help="Ethos-U of the target ethos_u, such as ethos-u65-256. Default: that of the search, "
            "else ethos-u55-128."
        ),
    ] = None,
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
    show_notices()
    names = split_names(targets)
    for name in names:
        TARGETS.check(name)
    check_subject(what, trial, pick)
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.exporting import installed
    there, missing = installed(names)
    budgets = make_budgets(
        limits,
        max_mflops=max_mflops,
        max_params=max_params,
        max_activations=max_activations,
        max_latency_ms=max_latency_ms,
    )
    if front:
        if trial is not None or pick is not None or out is not None or not budgets.is_empty:
            raise InvalidInput(
                "--front takes every point; --trial, --pick, --out and budgets do not"
            )
        checkpoints = list(front_checkpoints(RunFolder.existing(what)))
    else:
        checkpoints = [chosen_checkpoint(what, trial, pick, budgets)]
    for line in missing:
        typer.echo(f"nas: {line}", err=True)
    done: list[dict[str, object]] = []
    failed = False
    for checkpoint in checkpoints:
        bundle = nas.export(
            checkpoint, targets=there, int8=int8, fp16=fp16, io=io, rgb=rgb, accelerator=accelerator,
            images=images, out=out, progress=Console(stderr=True),
        )  # fmt: skip
        done.append(bundle.manifest.model_dump(mode="json") | {"bundle": str(bundle.path)})
        if not as_json:
            _print(bundle.manifest, checkpoint, bundle.path)
        failed = failed or bool(bundle.manifest.missing)
    if as_json:
        print_json(done if front else done[0])
    if failed:
        raise typer.Exit(1)


def _print(manifest: Manifest, checkpoint: Path, bundle: Path) -> None:
    from nas.exporting import MOST_LOST
    from nas.exporting.next_steps import next_steps

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
    for one in manifest.missing:
        typer.echo(f"nas: target {one.target} failed: {one.reason}", err=True)
    for artifact in manifest.artifacts:
        if artifact.arena:
            arena = artifact.arena
            say(
                f"{artifact.name}: arena {arena.head + arena.tail:,} bytes, flash {arena.flash:,} bytes "
                "(measured, 64-bit build)"
            )
        if artifact.npu:
            npu = artifact.npu
            say(
                f"{artifact.name}: {npu.accelerator}: SRAM {npu.sram:,} bytes, "
                f"{npu.milliseconds:.2f} ms, "
                f"{npu.on_cpu} operators on the CPU (estimated by Vela)"
            )
    for artifact in manifest.artifacts:
        if artifact.float_layers:
            say(f"{artifact.name}: in float32 remain {', '.join(artifact.float_layers)}")
        lost = accuracy.top1 - artifact.accuracy.top1 if artifact.accuracy else 0
        if lost > MOST_LOST:
            say(f"{artifact.name}: loses {100 * lost:.2f} points of accuracy")
        if artifact.undelegated:
            say(f"{artifact.name}: not delegated: {', '.join(artifact.undelegated)}")
    if any(artifact.latency and artifact.latency.busy for artifact in manifest.artifacts):
        say("the times spread widely, the machine is busy: nas bench measures again")
    for number, line in enumerate(next_steps(manifest, bundle)):
        say(f"{'      ' if number else 'next: '}{line}")


def _row(artifact: Artifact) -> tuple[str, ...]:
    parity, latency, accuracy = artifact.parity, artifact.latency, artifact.accuracy
    return (
        artifact.name,
        f"{artifact.bytes:,}",
        f"{100 * accuracy.top1:.2f}" if accuracy else "-",
        f"{100 * parity.top1_agreement:.2f}" if parity else "-",
        f"{parity.max_abs_difference:.1e}" if parity else "-",
        f"{latency.p50:.3f}{'?' if latency.busy else ''}" if latency else "-",
    )
