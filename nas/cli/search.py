"""``nas search``: run a sweep, or go on with one."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nas.cli.choice import MaxActivations, MaxLatencyMs, MaxMflops, MaxParams
from nas.cli.console import AsJson, console, print_json, say
from nas.cli.front_table import print_front
from nas.cli.settings import resume_changes, search_config
from nas.errors import WorkFailed
from nas.front import pick_knee
from nas.report import write_report
from nas.runs import RunFolder
from nas.search import resume_search, start_search
from nas.search.samplers import SAMPLERS
from nas.search.view import PlainView, make_view
from nas.training import RECIPES


def search(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with any of the fields of search.yaml.")
    ] = None,
    space: Annotated[str | None, typer.Option(help="Shipped search space, or a YAML file.")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="digits, fashion_mnist, cifar10, cifar100 or imagefolder:PATH."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(help="Networks to train; with early stopping, to begin. Default 40."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of a trial.")] = None,
    workers: Annotated[int | None, typer.Option(help="Trainings at a time.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of proposals and trainings.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the run: runs/NAME.")] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with this run.")] = None,
    max_mflops: MaxMflops = None,
    max_params: MaxParams = None,
    max_activations: MaxActivations = None,
    max_latency_ms: MaxLatencyMs = None,
    device: Annotated[
        str | None, typer.Option(help="Whose latency counts: one of nas latency import.")
    ] = None,
    objectives: Annotated[
        str | None, typer.Option(help="error and any of mflops, params, activations, latency_ms.")
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(help=f"Who proposes networks: {', '.join(SAMPLERS)}. Default forecast."),
    ] = None,
    early_stopping: Annotated[
        str | None,
        typer.Option(
            help="Which trainings go on at epochs 1, 3, 9...: none (all), pareto, cost-peers, forecast. "
            "Unless given: forecast where --total-epochs is, else none."
        ),
    ] = None,
    total_epochs: Annotated[
        int | None,
        typer.Option(help="Epochs to train in all, over all networks and their parents."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="End after so many trainings, or parts of them from rung to rung, without growth "
            "of the hypervolume by 0.1 %."
        ),
    ] = None,
    inherit: Annotated[
        int | None,
        typer.Option(help="Start from the trained plain network, and train so many epochs more."),
    ] = None,
    recipe: Annotated[str | None, typer.Option(help=f"One of: {', '.join(RECIPES)}.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where the images are looked for.")] = None,
    limit: Annotated[
        int | None, typer.Option(help="Train on the first so many images only.")
    ] = None,
    val_limit: Annotated[
        int | None, typer.Option(help="Validate on the first so many held-out images only.")
    ] = None,
    input_size: Annotated[
        int | None, typer.Option(help="Side of an image in pixels; imagefolder only, default 224.")
    ] = None,
    epoch_images: Annotated[
        int | None, typer.Option(help="Images an epoch, each epoch others of all there are.")
    ] = None,
    scale_jitter: Annotated[
        float | None, typer.Option(help="Lowest scale at which objects are pasted, 0 to 1.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of a training.")] = None,
    executor: Annotated[
        str | None, typer.Option(help="Where trainings run: local, or ray (a cluster).")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster, host:port; else one is started here.")
    ] = None,
    gpus: Annotated[
        float | None, typer.Option(help="GPUs a training asks the cluster for; 0.25 shares one.")
    ] = None,
    checkpoints: Annotated[
        str | None,
        typer.Option(help="With ray: store that all machines reach, s3://... or a folder."),
    ] = None,
    storage: Annotated[str | None, typer.Option(help="Database URL of the study.")] = None,
    as_json: AsJson = False,
) -> None:
    """Search a space for networks of low error and low cost.

    Example: nas search --space shufflenet_v2_sk --data fashion_mnist --trials 40 --epochs 3
    --workers 2 --seed 0 --max-mflops 10 --name first
    """
    given = {key: value for key, value in context.params.items() if value is not None}
    given.pop("as_json")
    view = PlainView(Console(stderr=True)) if as_json else make_view(console)
    if resume is not None:
        run = RunFolder.existing(resume)
        changes = resume_changes(given)
        begin = partial(resume_search, run, view, changes)
    else:
        settings = search_config(given)
        run = RunFolder.named(settings.name)
        begin = partial(start_search, settings, view)
    try:
        front = begin()
    except KeyboardInterrupt:
        if not run.config.is_file():
            raise WorkFailed("interrupted before the run was begun") from None
        raise WorkFailed(f"interrupted; go on with: nas search --resume {run.name}") from None
    page = write_report(run)
    if as_json:
        print_json(json.loads(front.to_json()))
        return
    print_front(front)
    say(f"front:  {run.pareto}")
    say(f"report: {page}")
    if front.points:
        knee = pick_knee(front).trial
        say(f"next:   nas train {run.name} --trial {knee}    (the knee, in full, with test error)")
        say(f"        nas export {run.name} --trial {knee} --targets onnx")
