"""``nas.train``: the full training of one network, and its error on the test set."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blocks.errors import InvalidInput
from blocks.wording import check_type
from nas.api.default_names import run_name
from nas.api.options import check_none_empty, check_options
from nas.api.progress import given_console
from nas.api.references import named
from nas.api.training_images import chosen_images, sized, with_record
from nas.api.training_recipe import training_recipe
from nas.data import DataConfig
from nas.evaluation.output import DOCUMENT, PAGE
from nas.folders import given_folder, given_path
from nas.folders import logs_dir as default_logs
from nas.naming import option
from nas.plugins import end_load
from nas.runs import RunFolder, TrialFolder
from nas.searching import read_config
from nas.searching.inherit import inherited_start
from nas.searching.input_size import data_for
from nas.training import EpochMetrics, TestResult, TrainJob
from nas.training.pretrained import (
    IMAGENET,
    NONE,
    PARENT,
    PretrainedWeights,
    find_weights,
    plain_network,
)

if TYPE_CHECKING:
    from rich.console import Console

    from blocks import ArchSpec
    from nas.training.bar import TrainingBar


class FullTraining(TestResult):
    """What a full training came to: figures on the test set, which was read once.

    Attributes:
        key: Canonical key of the network.
        started_from: The pretrained weights in a few words; None: it started from random ones.
        checkpoint: Of the weights that were tested; ``nas.export`` takes it.
        page: About its mistakes on the test images, with the 95 % interval of the error, the figures of
            each class, suspected wrong labels and duplicates; None without test images.
        warnings: A line for each class that is never predicted, or has few or no test images.

    Examples:
        >>> import nas
        >>> run = nas.open_run("example")
        >>> done = run.train(run.pick("knee"), recipe="tiny", epochs=1)
        >>> done.checkpoint.name, done.test_images
        ('checkpoint.pt', 359)
    """

    key: str
    started_from: str | None = None
    checkpoint: Path
    page: Path | None = None
    warnings: tuple[str, ...] = ()


def train(
    network: ArchSpec | str | Path,
    *,
    data: str | Path | Callable[..., Any],
    data_dir: str | Path | None = None,
    input_size: int | None = None,
    cache_gb: float | None = None,
    group_by: str | None = None,
    splits: str | Path | None = None,
    on_bad_image: Literal["stop", "skip"] | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    metric: str | None = None,
    costs: str | Path | None = None,
    balance: str | None = None,
    augment: Literal["standard", "trivial"] | None = None,
    reparametrise: bool | None = None,
    seed: int = 0,
    devices: int = 1,
    threads: int | None = None,
    name: str | None = None,
    module: str | type | None = None,
    pretrained: str | Path | None = None,
    start: Literal["fresh", "plain"] | None = None,
    patience: int | None = None,
    keep: Literal["last", "best"] | None = None,
    teacher: str | Path | None = None,
    again: bool = False,
    runs_dir: str | Path | None = None,
    logs_dir: str | Path | None = None,
    on_epoch: Callable[[EpochMetrics], None] | None = None,
    progress: bool | Console = False,
) -> FullTraining:
    """Train a network on all training images, then read the test set once.

    Called again with the same arguments it continues from its checkpoint. A finished training that is
    given more ``epochs`` continues, too: for those, the learning rate starts at 0.3 of the recipe's peak
    and falls to 0 by half a cosine. ``Run.train`` does the same
    for a network of a search.

    Args:
        network: The network, or its YAML file.
        data: As for ``nas.search``.
        data_dir: Where the images are looked for.
        input_size: Side of an image in pixels, for photographs. Default: that of the network.
        cache_gb: As for ``nas.search``.
        group_by: As for ``nas.search``.
        splits: As for ``nas.search``.
        on_bad_image: As for ``nas.search``.
        recipe: Name of a recipe. Default: ``fine_tune`` from pretrained weights, else ``tiny`` or
            ``full``. The number of images decides, also on the epochs (docs/howto/recipes.md).
        epochs: In place of the recipe's.
        batch_size: In place of the recipe's.
        lr: Peak learning rate, in place of the recipe's.
        metric: What the validation error is, and what is measured on the test images besides their
            error: as for ``nas.search``. Default ``error``; for a network of a search that of the
            search.
        costs: As for ``nas.search``.
        balance: As for ``nas.search``. Default ``none``; for a network of a search that of the search.
        augment: As for ``nas.search``. Default ``standard``; for a network of a search as searched.
        reparametrise: As for ``nas.search``. Default False; for a network of a search as searched.
        seed: Of weights, order and augmentation.
        devices: GPUs, or processes on CPUs, that share every batch.
        threads: CPU threads of each.
        name: The folder is ``runs/NAME``. Default: the file's name, or the network's key.
        module: LightningModule to train (docs/howto/own_module.md).
        pretrained: Weights of the plain network to start from: ``imagenet``, a file, a folder with
            ``BACKBONE_WIDTH.pt``, or a run (docs/howto/pretrained.md).
        start: Units start ``fresh``, or compute what the plain network does: ``plain``. Default: fresh.
        patience: Hold the validation images out, and stop when their error has not improved for so many
            epochs. Default: all epochs, on all training images.
        keep: Which weights are tested and exported: of the ``last`` epoch, or of the one with the least
            validation error, ``best``, for which the validation images are held out. Default: ``best``
            with ``patience``, else ``last``.
        teacher: A larger network for the same classes, whose outputs are learned as well: a checkpoint,
            ``timm:NAME=FILE`` (a state dict of a network of timm), or ``timm:NAME`` (its own weights).
        again: Start over: drop the checkpoint that is there.
        runs_dir: Folder of the runs.
        logs_dir: Folder of TensorBoard's logs.
        on_epoch: Called at the end of every epoch.
        progress: Show a progress bar, on standard output or on a console of rich.

    Returns:
        The figures on the test set, and the checkpoint.

    Raises:
        InvalidInput: An argument is wrong.
        WorkFailed: The training failed.
        KeyboardInterrupt: It was interrupted; the same call continues.

    Examples:
        >>> import nas
        >>> spec = nas.ArchSpec(
        ...     backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=1, input_size=16,
        ...     stem_stride=1, unit={"kind": "none"},
        ... )
        >>> done = nas.train(spec, data="digits", recipe="tiny", epochs=1, name="example-plain")
        >>> done.test_images
        359
    """
    from blocks import ArchSpec

    check_none_empty(locals())
    path = None if isinstance(network, ArchSpec) else _path("network", network)
    spec = network if isinstance(network, ArchSpec) else ArchSpec.from_yaml(path or Path())
    root = None if runs_dir is None else given_folder("runs_dir", runs_dir)
    default = run_name(spec.key if path is None else path.stem)
    run = RunFolder.named(default if name is None else name, root)
    images = chosen_images(locals())
    if input_size is None and (path is not None or "input_size" in spec.model_fields_set):
        images = sized(images, spec.input_size)
    weights = _weights(pretrained, spec)
    return _train(
        spec,
        images,
        run.full_training(spec.key),
        run.name,
        again=again,
        on_epoch=on_epoch,
        given=locals(),
        seed=seed,
        devices=devices,
        threads=threads,
        module=named(module, "module"),
        start=start or "fresh",
        weights=weights,
        patience=patience,
        keep=keep or ("last" if patience is None else "best"),
        teacher=_teacher(teacher),
        progress=progress,
        logs=_path("logs_dir", logs_dir),
    )


def train_trial(
    run: RunFolder,
    trial: int,
    *,
    data: str | Path | Callable[..., Any] | None = None,
    data_dir: str | Path | None = None,
    input_size: int | None = None,
    cache_gb: float | None = None,
    group_by: str | None = None,
    splits: str | Path | None = None,
    on_bad_image: Literal["stop", "skip"] | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    metric: str | None = None,
    costs: str | Path | None = None,
    balance: str | None = None,
    augment: Literal["standard", "trivial"] | None = None,
    reparametrise: bool | None = None,
    seed: int = 0,
    devices: int = 1,
    threads: int | None = None,
    module: str | type | None = None,
    pretrained: str | Path | None = None,
    start: Literal["fresh", "plain"] | None = None,
    patience: int | None = None,
    keep: Literal["last", "best"] | None = None,
    teacher: str | Path | None = None,
    again: bool = False,
    logs_dir: str | Path | None = None,
    on_epoch: Callable[[EpochMetrics], None] | None = None,
    progress: bool | Console = False,
) -> FullTraining:
    """As ``train``, for a trained trial of a run.

    Data, module and pretrained weights are those of the search by default; ``pretrained="none"`` starts
    from random weights.
    """
    from blocks import ArchSpec

    check_none_empty(locals())
    config = read_config(run)
    spec = ArchSpec.from_yaml(run.trial(trial).arch)
    # A limit made the search's trainings short; the full training is full.
    images = chosen_images(locals(), data_for(spec, config).model_copy(update={"limit": None}))
    label = f"{trial:04d}"
    if pretrained is None and config.pretrained is not None:
        weights = config.pretrained.weights_of(spec)
        if weights is not None:
            weights.check_unchanged()
    else:
        weights = _weights(pretrained, spec)
    balance = balance or config.recipe.balance
    if costs is None:
        metric = metric or config.recipe.metric
    augment = augment or config.recipe.augment
    if reparametrise is None:
        reparametrise = config.recipe.reparametrise
    search_costs = config.recipe.costs  # one of the locals() that are given on
    return _train(
        spec,
        images,
        run.full_training(label),
        f"{run.name}/trial_{label}",
        again=again,
        on_epoch=on_epoch,
        given=locals(),
        seed=seed,
        devices=devices,
        threads=threads,
        module=named(module, "module") or config.module,
        start=start or ("fresh" if not weights or pretrained else inherited_start(spec)),
        weights=weights,
        patience=patience,
        keep=keep or ("last" if patience is None else "best"),
        teacher=_teacher(teacher),
        progress=progress,
        logs=_path("logs_dir", logs_dir) or config.execution.logs_dir,
    )


def _train(
    spec: ArchSpec,
    images: DataConfig,
    folder: TrialFolder,
    label: str,
    *,
    again: bool,
    on_epoch: Callable[[EpochMetrics], None] | None,
    given: Mapping[str, Any],
    weights: PretrainedWeights | None,
    logs: Path | None,
    progress: bool | Console,
    **job: Any,
) -> FullTraining:
    check_options(given)  # before anything is deleted
    console = given_console(progress)
    if again:
        old_files = (folder.result, folder.metrics, folder.checkpoint, folder.best, folder.splits)
        for old in (*old_files, folder.evaluation / DOCUMENT):
            old.unlink(missing_ok=True)
    end_load()
    images = with_record(images, folder)
    recipe = training_recipe(given, images, folder, pretrained=weights is not None)
    if weights is not None:
        logging.getLogger("nas.recipe").info(weights.said)
    from nas.training.fit import fit  # here, for Lightning takes seconds to import

    try:
        with _process_as_it_was():
            fit(
                TrainJob(
                    spec=spec,
                    data=images,
                    recipe=recipe,
                    folder=folder.path,
                    log_name=label,
                    log_version="full",
                    full=True,
                    pretrained=None if weights is None else weights.file,
                    origin=None if weights is None else weights.origin,
                    logs=logs or default_logs(),
                    **job,
                ),
                on_epoch,
                bar=_bar(console),
            )
            page, said = _evaluated(folder)
    except SystemExit:  # what Lightning makes of an interrupt
        raise KeyboardInterrupt from None
    result = TestResult.model_validate_json(folder.result.read_text(encoding="utf-8"))
    return FullTraining(
        **result.model_dump(),
        key=spec.key,
        started_from=None if weights is None else weights.said,
        checkpoint=folder.kept,
        page=page,
        warnings=said,
    )


def _evaluated(folder: TrialFolder) -> tuple[Path | None, tuple[str, ...]]:
    """The page of a finished training, written if it is not there yet, and what it says of classes."""
    from nas.api.evaluating import evaluate_training

    document = folder.evaluation / DOCUMENT
    if not document.is_file() or document.stat().st_mtime_ns < folder.result.stat().st_mtime_ns:
        evaluate_training(folder.kept, folder.evaluation)
    if not document.is_file():
        return None, ()
    found = json.loads(document.read_text(encoding="utf-8"))
    return folder.evaluation / PAGE, tuple(found["warnings"])


def _weights(source: str | Path | None, spec: ArchSpec) -> PretrainedWeights | None:
    """The pretrained weights that are asked for.

    Raises:
        InvalidInput: There are none for this network, or the file is damaged.
    """
    if source is None or str(source) == NONE:
        return None
    check_type(option("pretrained"), source, (str, Path), "a source of weights")
    if str(source) == PARENT:
        raise InvalidInput(
            f"{option('pretrained', PARENT)}: only in a search, which trains it; allowed: "
            f"{IMAGENET}, a file, a folder, or a run"
        )
    return find_weights(str(source), plain_network(spec))


def _bar(console: Console | None) -> TrainingBar | None:
    if console is None:
        return None
    from nas.training.bar import TrainingBar

    return TrainingBar(console)


@contextmanager
def _process_as_it_was() -> Iterator[None]:
    """A training in the caller's process leaves its random numbers, threads, warnings and logs alone."""
    import torch

    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels, threads = [one.level for one in loggers], torch.get_num_threads()
    try:
        with (
            warnings.catch_warnings(),
            torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        ):
            yield
    finally:
        torch.set_num_threads(threads)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _teacher(value: str | Path | None) -> str | None:
    return None if value is None else str(given_path("teacher", value))


def _path(name: str, value: str | Path | None) -> Path | None:
    return None if value is None else given_path(name, value)
