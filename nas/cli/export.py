"""``nas export``: a bundle for the device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.choice import (
    MaxActivations,
    MaxMflops,
    MaxParams,
    Pick,
    Trial,
    chosen_checkpoint,
    made_from,
    make_budgets,
)
from nas.cli.console import AsJson, print_json, say
from nas.export import TARGETS, export_bundle


def export(
    what: Annotated[str, typer.Argument(metavar="CHECKPOINT|RUN", help="A checkpoint, or a run.")],
    trial: Trial = None,
    pick: Pick = None,
    max_mflops: MaxMflops = None,
    max_params: MaxParams = None,
    max_activations: MaxActivations = None,
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
    budgets = make_budgets(max_mflops, max_params, max_activations)
    chosen = list(dict.fromkeys(name.strip() for name in targets.split(",")))
    for target in chosen:
        TARGETS[target]
    checkpoint = chosen_checkpoint(what, trial, pick, budgets)
    bundle = out or made_from(checkpoint, "export")
    manifest = export_bundle(checkpoint, bundle, chosen)
    if as_json:
        print_json(manifest.model_dump(mode="json") | {"bundle": str(bundle)})
        return
    say(f"{checkpoint} ->")
    for artifact in manifest.artifacts:
        parity = artifact.parity
        say(
            f"{bundle / artifact.files[0].name}  {sum(f.bytes for f in artifact.files):,} bytes; on "
            f"{parity.images} images "
            f"max difference {parity.max_abs_difference:.1e}, same class on "
            f"{100 * parity.top1_agreement:.1f} %"
        )
