"""``nas evaluate``: what a network gets wrong, and which images are the trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import nas
from blocks.errors import InvalidInput
from nas.api.choosing import check_no_bare_folder, check_subject, chosen_checkpoint
from nas.api.importing import importing
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
from nas.cli.completion import complete_data, complete_runs_and_files
from nas.cli.console import AsJson, print_json, say

MANIFEST = "manifest.json"


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|CHECKPOINT|BUNDLE",
            help="A run, a checkpoint, or the folder of a bundle.",
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
    data: Annotated[
        str | None,
        typer.Option(
            help="Labelled images; default those of the training.", autocompletion=complete_data
        ),
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where the images are looked for.")] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="train, val, test or all; default the images that the network has not seen."
        ),
    ] = None,
    costs: Annotated[
        Path | None,
        typer.Option(
            help="CSV file: the cost of each predicted class (columns) for an image of each true class "
            "(rows); default that of the training."
        ),
    ] = None,
    artifact: Annotated[
        str | None, typer.Option(help="Of a bundle, such as onnx-int8; default the first.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write to; default runs/RUN/evaluate/NNNN, or beside a checkpoint or bundle."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a network on labelled images, and find wrong labels and duplicates.

    It writes a page, a table and all figures as JSON. Of a run, the full training of the trial is taken
    when there is one, else the search's own. The images of a full training are the test images, of a
    trial of a search the validation images, and of other data all.

    Example: nas evaluate first --pick knee
    """
    budgets = make_budgets(
        limits,
        max_mflops=max_mflops,
        max_params=max_params,
        max_activations=max_activations,
        max_latency_ms=max_latency_ms,
    )
    bundle = (Path(what) / MANIFEST).is_file()
    if bundle and (trial is not None or pick is not None or not budgets.is_empty):
        raise InvalidInput(f"--trial, --pick and budgets choose from a run; {what} is a bundle")
    if split not in (None, "train", "val", "test", "all"):
        raise InvalidInput(f"--split {split}: allowed: train, val, test, all")
    if not bundle:
        check_no_bare_folder(what)
        check_subject(what, trial, pick)
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.evaluation import evaluate_network  # noqa: F401
    network = Path(what) if bundle else chosen_checkpoint(what, trial, pick, budgets)
    done = nas.evaluate(
        network,
        data=data,
        data_dir=data_dir,
        split=split,
        costs=costs,
        artifact=artifact,
        out=out,
    )
    if as_json:
        print_json(done.document | {"folder": str(done.path), "page": str(done.page)})
        return
    for line in done.summary:
        say(line)
