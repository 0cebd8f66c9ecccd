"""``nas search``: run a sweep, or continue one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.api.choosing import has_checkpoint
from nas.api.importing import importing
from nas.api.notices import show_notices
from nas.api.options import Request
from nas.cli.choice import BUDGETS, Limits, MaxActivations, MaxLatencyMs, MaxMflops, MaxParams
from nas.cli.completion import (
    complete_data,
    complete_devices,
    complete_pretrained,
    complete_runs,
    complete_spaces,
)
from nas.cli.console import AsJson, console, print_json, say
from nas.cli.photographs import GroupBy, OnBadImage, Splits
from nas.data.registry import DATASETS
from nas.errors import WorkFailed
from nas.searching.samplers import SAMPLERS
from nas.training.recipe import BALANCES, METRICS, RECIPES


def _option(panel: str, help: str, **more: Any) -> Any:
    return typer.Option(help=help, rich_help_panel=panel, **more)


WHAT, STRATEGY, TRAINING, WHERE = "What is searched", "Strategy", "Training", "Where it runs"


def search(
    context: typer.Context,
    config: Annotated[
        Path | None, _option(WHAT, "YAML file with any of the fields of search.yaml.")
    ] = None,
    space: Annotated[
        str | None,
        _option(WHAT, "Shipped search space, or a YAML file.", autocompletion=complete_spaces),
    ] = None,
    data: Annotated[
        str | None,
        _option(
            WHAT,
            f"Path of photographs, or one of: {', '.join(DATASETS)}.",
            autocompletion=complete_data,
        ),
    ] = None,
    data_dir: Annotated[
        str | None, _option(WHAT, "Folder where the images are looked for.")
    ] = None,
    input_size: Annotated[
        int | None, _option(WHAT, "Side of an image in pixels; photographs only, default 224.")
    ] = None,
    cache_gb: Annotated[
        float | None,
        _option(WHERE, "Gigabytes of decoded photographs that are kept; 0: none. Default 8."),
    ] = None,
    group_by: GroupBy = None,
    splits: Splits = None,
    on_bad_image: OnBadImage = None,
    objectives: Annotated[
        str | None,
        _option(
            WHAT,
            "error and any of mflops, params, activations, latency_ms, sram_kb, flash_kb, npu_ms, or "
            "some of your own.",
        ),
    ] = None,
    name: Annotated[str | None, _option(WHAT, "Name of the run; its folder is runs/NAME.")] = None,
    resume: Annotated[
        str | None, _option(WHAT, "Continue this run.", autocompletion=complete_runs)
    ] = None,
    max_mflops: MaxMflops = None,
    max_params: MaxParams = None,
    max_activations: MaxActivations = None,
    max_latency_ms: MaxLatencyMs = None,
    limits: Limits = None,
    device: Annotated[
        str | None,
        _option(
            BUDGETS,
            "Device whose latency counts: one of nas latency import.",
            autocompletion=complete_devices,
        ),
    ] = None,
    device_class: Annotated[
        str | None,
        _option(
            BUDGETS,
            "Whose memory sram_kb and flash_kb are. Default tflm: microcontrollers that run TensorFlow "
            "Lite Micro; or an Ethos-U such as ethos-u55-128, for npu_ms too.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        _option(BUDGETS, "Networks to train; with early stopping, to begin. Default 40."),
    ] = None,
    total_epochs: Annotated[
        int | None,
        _option(BUDGETS, "Epochs to train in all, over all networks and their parents."),
    ] = None,
    patience: Annotated[
        int | None,
        _option(
            BUDGETS,
            "End after so many trainings, or parts of them from rung to rung, without growth of the "
            "hypervolume by 0.1 %.",
        ),
    ] = None,
    sampler: Annotated[
        str | None,
        _option(
            STRATEGY,
            f"Who proposes networks: {', '.join(SAMPLERS)}, or one of your own. Default forecast.",
            autocompletion=lambda incomplete: [
                one for one in SAMPLERS if one.startswith(incomplete)
            ],
        ),
    ] = None,
    early_stopping: Annotated[
        str | None,
        _option(
            STRATEGY,
            "Which trainings continue after epochs 1, 3, 9...: none (all), pareto, cost-peers, "
            "forecast. Default: forecast with --total-epochs, else none.",
        ),
    ] = None,
    pretrained: Annotated[
        str | None,
        _option(
            STRATEGY,
            "Weights to start from: imagenet, a file, a folder with BACKBONE_WIDTH.pt, a run, or parent "
            "(the plain network, trained first).",
            autocompletion=complete_pretrained,
        ),
    ] = None,
    pretrained_missing: Annotated[
        str | None,
        _option(STRATEGY, "Widths without such weights: refuse (default), or scratch."),
    ] = None,
    inherit: Annotated[
        int | None,
        _option(STRATEGY, "With parent: train so many epochs more; implies it."),
    ] = None,
    seed: Annotated[int | None, _option(STRATEGY, "Seed of proposals and trainings.")] = None,
    training_seed: Annotated[
        int | None, _option(TRAINING, "Seed of trainings alone. Default: --seed.")
    ] = None,
    epochs: Annotated[int | None, _option(TRAINING, "Epochs per trial.")] = None,
    recipe: Annotated[
        str | None,
        _option(
            TRAINING,
            f"One of: {', '.join(RECIPES)}. Default: by start and number of images.",
            autocompletion=lambda incomplete: [
                one for one in RECIPES if one.startswith(incomplete)
            ],
        ),
    ] = None,
    module: Annotated[
        str | None, _option(TRAINING, "LightningModule of your own that a trial trains.")
    ] = None,
    evaluator: Annotated[
        str | None,
        _option(TRAINING, "Function of your own that evaluates a network in place of training it."),
    ] = None,
    batch_size: Annotated[int | None, _option(TRAINING, "Images per step.")] = None,
    lr: Annotated[float | None, _option(TRAINING, "Peak learning rate.")] = None,
    metric: Annotated[
        str | None,
        _option(TRAINING, f"What the objective error is: {', '.join(METRICS)}. Default error."),
    ] = None,
    costs: Annotated[
        Path | None,
        _option(
            TRAINING,
            "CSV file: the cost of each predicted class (columns) for an image of each true class "
            "(rows). The metric is then cost.",
        ),
    ] = None,
    balance: Annotated[
        str | None,
        _option(TRAINING, f"Classes of unequal size in training: {', '.join(BALANCES)}."),
    ] = None,
    augment: Annotated[
        str | None,
        _option(TRAINING, "Of training images: standard (crops and flips), or trivial as well."),
    ] = None,
    reparametrise: Annotated[
        bool | None,
        _option(
            TRAINING,
            "Train further branches beside every spatial convolution; they are merged into it.",
        ),
    ] = None,
    limit: Annotated[
        int | None, _option(TRAINING, "Train on the first so many images only.")
    ] = None,
    val_limit: Annotated[
        int | None, _option(TRAINING, "Validate on the first so many held-out images only.")
    ] = None,
    epoch_images: Annotated[
        int | None,
        _option(TRAINING, "Images per epoch; each epoch draws others of all there are."),
    ] = None,
    scale_jitter: Annotated[
        float | None, _option(TRAINING, "Lowest scale at which objects are pasted, 0 to 1.")
    ] = None,
    workers: Annotated[int | None, _option(WHERE, "Trainings at a time.")] = None,
    threads: Annotated[int | None, _option(WHERE, "CPU threads per training.")] = None,
    executor: Annotated[
        str | None, _option(WHERE, "Where trainings run: local, or ray (a cluster).")
    ] = None,
    ray_address: Annotated[
        str | None, _option(WHERE, "Ray cluster, host:port; else one is started here.")
    ] = None,
    gpus: Annotated[
        float | None, _option(WHERE, "GPUs per training on the cluster; 0.25 shares one.")
    ] = None,
    checkpoints: Annotated[
        str | None,
        _option(WHERE, "With ray: store that all machines reach, s3://... or a folder."),
    ] = None,
    logs_dir: Annotated[
        Path | None, _option(WHERE, "Folder of TensorBoard's logs. Default lightning_logs.")
    ] = None,
    storage: Annotated[str | None, _option(WHERE, "Database URL of the study.")] = None,
    as_json: AsJson = False,
) -> None:
    """Search a space for networks of low error and low cost.

    Something of your own is named by package.module:NAME or FILE.py:NAME; see docs/howto.

    Example: nas search --space shufflenet_v2_sk --data fashion_mnist --trials 40 --epochs 3
    --workers 2 --seed 0 --max-mflops 10 --name first
    """
    show_notices()
    given = {key: value for key, value in context.params.items() if value not in (None, [], ())}
    given.pop("as_json")
    request = Request.of(given)
    with importing():
        import torch  # noqa: F401  # what follows imports it
        from rich.console import Console

        from nas.api.searching import carry_out
        from nas.cli.front_table import print_front
        from nas.searching.uncertainty import front_uncertainty
        from nas.searching.view import PlainView, make_view
    view = PlainView(Console(stderr=True)) if as_json else make_view(console)
    try:
        run = carry_out(request, view)
    except KeyboardInterrupt:
        if not request.run.config.is_file():
            raise WorkFailed("interrupted before the run was begun") from None
        name = request.run.name
        raise WorkFailed(f"interrupted; continue with: nas search --resume {name}") from None
    page, front = run.report(), run.front
    if as_json:
        print_json(json.loads(front.to_json()))
        return
    print_front(front, front_uncertainty(run.folder, front))
    say(f"front:  {run.folder.pareto}")
    say(f"report: {page}")
    if front.knee is not None:
        knee = front.knee.trial
        say(f"next:   nas train {run.name} --trial {knee}    (the knee, in full, with test error)")
        after = (
            ""
            if has_checkpoint(run.folder, knee)
            else "    (after the training: there are no weights yet)"
        )
        say(
            f"        nas export {run.name} --trial {knee} --targets {run.config.export_target}{after}"
        )
