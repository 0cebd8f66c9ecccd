"""``nas train``: the full training of one network, and its error on the test set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import nas
from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.api.choosing import check_subject, chosen_trial, names_file
from nas.api.importing import importing
from nas.api.notices import show_notices
from nas.api.options import check_options
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
from nas.cli.console import AsJson, console, print_json, say
from nas.cli.photographs import GroupBy, OnBadImage, Splits
from nas.errors import WorkFailed
from nas.naming import trial_call
from nas.runs.folder import RunFolder
from nas.training.recipe import BALANCES, METRICS, RECIPES, metric_text
from nas.training.waiting import passive_waiting

if TYPE_CHECKING:
    from nas.api.training import FullTraining
    from nas.training import EpochMetrics


def train(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ARCH.yaml|RUN",
            help="A network, or a run.",
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
        typer.Option(help="Images; for a run, those of the search.", autocompletion=complete_data),
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where the images are looked for.")] = None,
    cache_gb: Annotated[
        float | None,
        typer.Option(help="Gigabytes of decoded photographs that are kept; 0: none. Default 8."),
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(help="Side of an image in pixels; photographs only, default the network's."),
    ] = None,
    group_by: GroupBy = None,
    splits: Splits = None,
    on_bad_image: OnBadImage = None,
    recipe: Annotated[
        str | None,
        typer.Option(help=f"One of: {', '.join(RECIPES)}. Default: by start and number of images."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    lr: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help=f"What the validation error is: {', '.join(METRICS)}; default as searched."
        ),
    ] = None,
    costs: Annotated[
        Path | None, typer.Option(help="CSV file of costs, as for nas search; default as searched.")
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option(
            help=f"Classes of unequal size in training: {', '.join(BALANCES)}; default as searched."
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help="Of training images: standard (crops and flips), or trivial (TrivialAugment as well); "
            "default as searched."
        ),
    ] = None,
    reparametrise: Annotated[
        bool | None,
        typer.Option(
            "--reparametrise/--no-reparametrise",
            help="Train further branches (1x1, identity) beside every spatial convolution, and merge "
            "them into it; default as searched.",
        ),
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(help="LightningModule to train, package.module:NAME or FILE.py:NAME."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    devices: Annotated[
        int, typer.Option(help="GPUs, or processes on CPUs, that share every batch.")
    ] = 1,
    threads: Annotated[int | None, typer.Option(help="CPU threads of each.")] = None,
    name: Annotated[
        str | None, typer.Option(help="For a network: its folder is runs/NAME.")
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            help="Weights of the plain network to start from: imagenet, a file, a folder with "
            "BACKBONE_WIDTH.pt, or a run. For a run, those of the search; none: random weights."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Units start fresh (default), or compute what the plain network does: plain. For a "
            "run with pretrained weights, as in the search."
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Hold the validation images out, and stop when their error has not improved for so "
            "many epochs.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Weights to test: of the last epoch, or of the one with the least validation error: "
            "best. Default: best with --patience, else last."
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="Larger network whose outputs are learned as well: a checkpoint, timm:NAME=FILE, or "
            "timm:NAME."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Start over: drop the checkpoint that is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a network on all training images, then read the test set once.

    Started again with the same options, it continues from its checkpoint; with more --epochs, a finished
    training continues with a learning rate that falls again from 0.3 of the recipe's.

    Example: nas train first --pick knee --epochs 30
    """
    options: dict[str, Any] = {
        "data": data,
        "data_dir": data_dir,
        "cache_gb": cache_gb,
        "input_size": input_size,
        "group_by": group_by,
        "splits": splits,
        "on_bad_image": on_bad_image,
        "recipe": recipe,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "metric": metric,
        "costs": costs,
        "balance": balance,
        "augment": augment,
        "reparametrise": reparametrise,
        "seed": seed,
        "devices": devices,
        "threads": threads,
        "module": module,
        "pretrained": pretrained,
        "start": start,
        "patience": patience,
        "keep": keep,
        "teacher": teacher,
        "again": again,
        "on_epoch": None if as_json else _say_epoch,
        "progress": console if console.is_terminal and not as_json else False,
    }
    budgets = make_budgets(
        limits,
        max_mflops=max_mflops,
        max_params=max_params,
        max_activations=max_activations,
        max_latency_ms=max_latency_ms,
    )
    show_notices()
    os.environ.update(passive_waiting())  # before torch is imported
    check_subject(what, trial, pick)
    # The costs may be those of the search.
    check_options({**options, "metric": None} if metric == "cost" else options)
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.api.training import train_trial
        from nas.searching import read_config
    try:
        if names_file(what, trial, pick):
            if data is None:
                raise InvalidInput(
                    "--data is missing: a network alone does not say what to train it on"
                )
            done = nas.train(what, name=name, **options)
            follow_up = f"nas export {done.checkpoint} --targets onnx"
        else:
            run = RunFolder.existing(what)
            number = chosen_trial(run, trial, pick, budgets)
            done = train_trial(run, number, **options)
            target = read_config(run).export_target
            follow_up = f"{trial_call('export', run.name, number)} --targets {target}"
    except KeyboardInterrupt:
        raise WorkFailed("interrupted; the same command continues from the last epoch") from None
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    kept = "" if done.kept_epoch is None else f", weights of epoch {done.kept_epoch}"
    say(
        f"test error {_with_interval(done)} ({plural(done.test_images, 'image')}; trained on "
        f"{plural(done.train_images, 'image')}, {plural(done.epochs, 'epoch')}{kept}, seed {done.seed})"
    )
    if done.test_metric is not None:
        say(f"test {METRICS[done.metric]} {_metric_with_interval(done)}")
    for line in done.warnings:
        say(line)
    if done.page is not None:
        say(f"mistakes:   {done.page}")
    say(f"checkpoint: {done.checkpoint}")
    say(f"next:       {follow_up}")


def _with_interval(done: FullTraining) -> str:
    from nas.evaluation import wilson

    rate = wilson(round(done.test_error * done.test_images), done.test_images)
    low, high = 100 * rate.low, 100 * rate.high
    return f"{100 * done.test_error:.2f} %, 95 % interval {low:.2f} to {high:.2f} %"


def _metric_with_interval(done: FullTraining) -> str:
    value = metric_text(done.metric, done.test_metric or 0.0)
    if done.test_interval is None:
        return value
    low, high = (metric_text(done.metric, end) for end in done.test_interval)
    return f"{value}, 95 % interval {low.partition(' ')[0]} to {high}"


def _say_epoch(epoch: EpochMetrics) -> None:
    from nas.searching.view import duration

    metric, error = epoch.metric or "error", ""
    if epoch.val_error is not None:
        error = f"  validation {METRICS[metric]} {metric_text(metric, epoch.val_error)}"
    say(f"epoch {epoch.epoch:3d}  loss {epoch.train_loss:.4f}{error}  ({duration(epoch.seconds)})")
