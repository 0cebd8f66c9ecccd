"""``nas export``: a bundle for the device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blocks.errors import InvalidInput
from nas.cli.console import (
    AsJson,
    Pick,
    Trial,
    choose,
    is_file_argument,
    make_budgets,
    print_json,
    say,
    trained_trial,
)
from nas.export import TARGETS, export_bundle
from nas.runs import RunFolder
from nas.search import read_front


def export(
    what: Annotated[str, typer.Argument(metavar="CHECKPOINT|RUN", help="A checkpoint, or a run.")],
    trial: Trial = None,
    pick: Pick = None,
    targets: Annotated[str, typer.Option(help=f"Any of: {', '.join(TARGETS)}.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the bundle; default runs/RUN/export/NNNN.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export a trained network; every file is run and compared with PyTorch before it is kept.

    Of a run, the full training of the trial is taken when there is one, else the search's own.

    Example: nas export first --pick knee --targets onnx
    """
    chosen = list(dict.fromkeys(targets.split(",")))
    for target in chosen:
        TARGETS[target]
    if is_file_argument(what):
        if trial is not None or pick is not None:
            raise InvalidInput("--trial and --pick choose from a run; a checkpoint was given")
        checkpoint = Path(what)
        bundle = out or _bundle_beside(checkpoint)
    else:
        run = RunFolder.existing(what)
        if trial is None:
            trial = choose(read_front(run), pick, make_budgets(None, None, None)).trial
        checkpoint = trained_trial(run, trial).checkpoint
        full = run.full_training(f"{trial:04d}")
        if full.result.is_file():
            checkpoint = full.checkpoint
        bundle = out or run.export(f"{trial:04d}")
    manifest = export_bundle(checkpoint, bundle, chosen)
    if as_json:
        print_json(manifest.model_dump(mode="json") | {"bundle": str(bundle)})
        return
    say(f"{checkpoint} ->")
    for artifact in manifest.artifacts:
        parity = artifact.parity
        say(
            f"{bundle / artifact.file}  {artifact.bytes:,} bytes; on {parity.images} images "
            f"max difference {parity.max_abs_difference:.1e}, same class on "
            f"{100 * parity.top1_agreement:.1f} %"
        )


def _bundle_beside(checkpoint: Path) -> Path:
    """runs/RUN/export/NNNN for a checkpoint in runs/RUN/(trials|train)/NNNN; else beside the file."""
    folder = checkpoint.parent
    if folder.parent.name in ("trials", "train"):
        return folder.parent.parent / "export" / folder.name
    return folder / f"{checkpoint.stem}-export"
