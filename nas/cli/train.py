"""``nas train``: the full training of one network, and its error on the test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blocks.errors import InvalidInput
from blocks.yaml_files import parse
from nas.cli.choice import (
    MaxActivations,
    MaxLatencyMs,
    MaxMflops,
    MaxParams,
    Pick,
    Trial,
    check_subject,
    chosen_trial,
    make_budgets,
    names_file,
)
from nas.cli.completion import complete_data, complete_runs_and_files
from nas.cli.console import AsJson, print_json, say
from nas.cli.importing import importing
from nas.data.config import DataConfig
from nas.errors import WorkFailed
from nas.runs.folder import RunFolder, TrialFolder
from nas.training.recipe import RECIPES, Recipe

if TYPE_CHECKING:
    from blocks import ArchSpec
    from nas.cost import Budgets
    from nas.training import EpochMetrics

DATA_OPTIONS = {"name": "--data", "data_dir": "--data-dir"}


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
    data: Annotated[
        str | None,
        typer.Option(help="Images; for a run, those of the search.", autocompletion=complete_data),
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where the images are looked for.")] = None,
    recipe: Annotated[str, typer.Option(help=f"One of: {', '.join(RECIPES)}.")] = "full",
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    lr: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    devices: Annotated[
        int, typer.Option(help="GPUs, or processes on CPUs, that share every batch.")
    ] = 1,
    threads: Annotated[int | None, typer.Option(help="CPU threads of each.")] = None,
    name: Annotated[
        str | None, typer.Option(help="For a network: its folder is runs/NAME.")
    ] = None,
    pretrained: Annotated[
        Path | None, typer.Option(help="Weights of the plain network to start from.")
    ] = None,
    start: Annotated[
        str, typer.Option(help="Units start fresh, or compute what the plain network does: plain.")
    ] = "fresh",
    again: Annotated[
        bool, typer.Option("--again", help="Start over: drop the checkpoint that is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a network on all training images, then read the test set once.

    Stopped and started again with the same options, it goes on from its checkpoint.

    Example: nas train first --pick knee --epochs 30
    """
    if devices < 1:
        raise InvalidInput(f"--devices {devices}: allowed: 1 or more")
    if start not in ("fresh", "plain"):
        raise InvalidInput(f"--start {start}: allowed: fresh, plain")
    changes = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    given = {key: value for key, value in changes.items() if value is not None}
    typed = {key: f"--{key.replace('_', '-')}" for key in given}
    chosen = parse(Recipe, RECIPES[recipe].model_dump() | given, "nas train", typed)
    budgets = make_budgets(max_mflops, max_params, max_activations, max_latency_ms)
    check_subject(what, trial, pick)
    with importing():
        import torch  # noqa: F401  # what follows imports it

        from nas.training import TestResult, TrainJob
    spec, images, folder, label = _subject(what, trial, pick, budgets, data, data_dir, name)
    if again:
        for old in (folder.result, folder.metrics, folder.checkpoint):
            old.unlink(missing_ok=True)
    job = TrainJob(
        spec=spec,
        data=images,
        recipe=chosen,
        seed=seed,
        folder=folder.path,
        log_name=label,
        log_version="full",
        full=True,
        start="plain" if start == "plain" else "fresh",
        pretrained=pretrained,
        devices=devices,
        threads=threads,
    )
    try:
        from nas.training.fit import fit  # here, for it takes seconds that other commands need not

        fit(job, None if as_json else _say_epoch)
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the one into the other
        raise WorkFailed("interrupted; the same command goes on from the last epoch") from None
    result = TestResult.model_validate_json(folder.result.read_text(encoding="utf-8"))
    if as_json:
        print_json(result.model_dump() | {"checkpoint": str(folder.checkpoint), "key": spec.key})
        return
    say(
        f"test error {100 * result.test_error:.2f} % ({result.test_images:,} images; trained on "
        f"{result.train_images:,} images, {result.epochs} epochs, seed {result.seed})"
    )
    say(f"checkpoint: {folder.checkpoint}")
    say(f"next:       nas export {folder.checkpoint} --targets onnx")


def _subject(
    what: str,
    trial: int | None,
    pick: str | None,
    budgets: Budgets,
    data: str | None,
    data_dir: str | None,
    name: str | None,
) -> tuple[ArchSpec, DataConfig, TrialFolder, str]:
    """The network, its images, the folder to train in, and the name of the logs."""
    from blocks import ArchSpec
    from nas.search import read_config

    if names_file(what, trial, pick):
        path = Path(what)
        spec = ArchSpec.from_yaml(path)
        if data is None:
            raise InvalidInput(
                "--data is missing: a network alone does not say what to train it on"
            )
        run = RunFolder.named(name or path.stem)
        images = parse(DataConfig, {"name": data, "data_dir": data_dir}, "nas train", DATA_OPTIONS)
        return spec, images, run.full_training(spec.key), run.name
    run = RunFolder.existing(what)
    config = read_config(run)
    number = chosen_trial(run, trial, pick, budgets)
    spec = ArchSpec.from_yaml(run.trial(number).arch)
    overrides: dict[str, Any] = {"name": data, "data_dir": data_dir}
    fields = config.data.model_dump() | {k: v for k, v in overrides.items() if v is not None}
    # A limit made the search's trainings short; the full training is full.
    images = parse(DataConfig, fields | {"limit": None}, "nas train", DATA_OPTIONS)
    return spec, images, run.full_training(f"{number:04d}"), f"{run.name}/trial_{number:04d}"


def _say_epoch(epoch: EpochMetrics) -> None:
    from nas.search.view import duration

    say(f"epoch {epoch.epoch:3d}  loss {epoch.train_loss:.4f}  ({duration(epoch.seconds)})")
