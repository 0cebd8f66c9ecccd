"""``nas.train``: the full training of one network, and its error on the test set."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blocks.yaml_files import parse
from nas.api.options import check_options
from nas.api.references import named
from nas.data import DataConfig
from nas.evaluation.output import DOCUMENT, PAGE
from nas.folders import logs_dir as default_logs
from nas.plugins import end_load
from nas.runs import RunFolder, TrialFolder
from nas.searching import read_config
from nas.training import EpochMetrics, TestResult, TrainJob

if TYPE_CHECKING:
    from blocks import ArchSpec


class FullTraining(TestResult):
    """What a full training came to: figures on the test set, which was read once.

    Attributes:
        key: Canonical key of the network.
        checkpoint: Of the last epoch; ``nas.export`` takes it.
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
    checkpoint: Path
    page: Path | None = None
    warnings: tuple[str, ...] = ()


def train(
    network: ArchSpec | str | Path,
    *,
    data: str | Path | Callable[..., Any],
    data_dir: str | Path | None = None,
    recipe: str = "full",
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    balance: str | None = None,
    seed: int = 0,
    devices: int = 1,
    threads: int | None = None,
    name: str | None = None,
    module: str | type | None = None,
    pretrained: str | Path | None = None,
    start: Literal["fresh", "plain"] = "fresh",
    again: bool = False,
    runs_dir: str | Path | None = None,
    logs_dir: str | Path | None = None,
    on_epoch: Callable[[EpochMetrics], None] | None = None,
) -> FullTraining:
    """Train a network on all training images, then read the test set once.

    Called again with the same arguments it continues from its checkpoint. ``Run.train`` does the same
    for a network of a search.

    Args:
        network: The network, or its YAML file.
        data: As for ``nas.search``.
        data_dir: Where the images are looked for.
        recipe: Name of a recipe.
        epochs: In place of the recipe's.
        batch_size: In place of the recipe's.
        lr: Peak learning rate, in place of the recipe's.
        balance: ``none``, or ``weights`` or ``logits``: classes of unequal size count alike. Default
            ``none``; for a network of a search that of the search.
        seed: Of weights, order and augmentation.
        devices: GPUs, or processes on CPUs, that share every batch.
        threads: CPU threads of each.
        name: The folder is ``runs/NAME``. Default: the file's name, or the network's key.
        module: LightningModule to train (docs/howto/own_module.md).
        pretrained: File of weights of the plain network to start from.
        start: Units start fresh, or compute what the plain network does: ``plain``.
        again: Start over: drop the checkpoint that is there.
        runs_dir: Folder of the runs.
        logs_dir: Folder of TensorBoard's logs.
        on_epoch: Called at the end of every epoch.

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

    path = None if isinstance(network, ArchSpec) else Path(network)
    spec = network if isinstance(network, ArchSpec) else ArchSpec.from_yaml(Path(network))
    run = RunFolder.named(name or (spec.key if path is None else path.stem), _path(runs_dir))
    fields = {"name": named(data, "data"), "data_dir": data_dir and str(data_dir)}
    images = parse(DataConfig, fields, "nas train", {"name": "--data", "data_dir": "--data-dir"})
    if path is not None or "input_size" in spec.model_fields_set:
        images = _sized(images, spec)
    return _train(
        spec,
        images,
        run.full_training(spec.key),
        run.name,
        again=again,
        on_epoch=on_epoch,
        recipe=check_options(locals()),
        seed=seed,
        devices=devices,
        threads=threads,
        module=named(module, "module"),
        pretrained=_path(pretrained),
        start=start,
        logs=_path(logs_dir),
    )


def train_trial(
    run: RunFolder,
    trial: int,
    *,
    data: str | Path | Callable[..., Any] | None = None,
    data_dir: str | Path | None = None,
    recipe: str = "full",
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    balance: str | None = None,
    seed: int = 0,
    devices: int = 1,
    threads: int | None = None,
    module: str | type | None = None,
    pretrained: str | Path | None = None,
    start: Literal["fresh", "plain"] = "fresh",
    again: bool = False,
    logs_dir: str | Path | None = None,
    on_epoch: Callable[[EpochMetrics], None] | None = None,
) -> FullTraining:
    """As ``train``, for a trained trial of a run; data and module are those of the search by default."""
    from blocks import ArchSpec

    config = read_config(run)
    spec = ArchSpec.from_yaml(run.trial(trial).arch)
    overrides: dict[str, Any] = {
        "name": named(data, "data"),
        "data_dir": data_dir and str(data_dir),
    }
    fields = config.data.model_dump() | {k: v for k, v in overrides.items() if v is not None}
    # A limit made the search's trainings short; the full training is full.
    images = parse(
        DataConfig,
        fields | {"limit": None},
        "nas train",
        {"name": "--data", "data_dir": "--data-dir"},
    )
    label = f"{trial:04d}"
    balance = balance or config.recipe.balance
    return _train(
        spec,
        images,
        run.full_training(label),
        f"{run.name}/trial_{label}",
        again=again,
        on_epoch=on_epoch,
        recipe=check_options(locals()),
        seed=seed,
        devices=devices,
        threads=threads,
        module=named(module, "module") or config.module,
        pretrained=_path(pretrained),
        start=start,
        logs=_path(logs_dir) or config.execution.logs_dir,
    )


def _train(
    spec: ArchSpec,
    images: DataConfig,
    folder: TrialFolder,
    label: str,
    *,
    again: bool,
    on_epoch: Callable[[EpochMetrics], None] | None,
    logs: Path | None,
    **job: Any,
) -> FullTraining:
    if again:
        document = folder.evaluation / DOCUMENT
        for old in (folder.result, document, folder.metrics, folder.checkpoint):
            old.unlink(missing_ok=True)
    end_load()
    from nas.training.fit import fit  # here, for Lightning takes seconds to import

    try:
        with _process_as_it_was():
            fit(
                TrainJob(
                    spec=spec,
                    data=images,
                    folder=folder.path,
                    log_name=label,
                    log_version="full",
                    full=True,
                    logs=logs or default_logs(),
                    **job,
                ),
                on_epoch,
            )
            page, said = _evaluated(folder)
    except SystemExit:  # what Lightning makes of an interrupt
        raise KeyboardInterrupt from None
    result = TestResult.model_validate_json(folder.result.read_text(encoding="utf-8"))
    return FullTraining(
        **result.model_dump(),
        key=spec.key,
        checkpoint=folder.checkpoint,
        page=page,
        warnings=said,
    )


def _evaluated(folder: TrialFolder) -> tuple[Path | None, tuple[str, ...]]:
    """The page of a finished training, written if it is not there yet, and what it says of classes."""
    from nas.api.evaluating import evaluate_training

    document = folder.evaluation / DOCUMENT
    if not document.is_file():
        evaluate_training(folder.checkpoint, folder.evaluation)
    if not document.is_file():
        return None, ()
    found = json.loads(document.read_text(encoding="utf-8"))
    return folder.evaluation / PAGE, tuple(found["warnings"])


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


def _sized(images: DataConfig, spec: ArchSpec) -> DataConfig:
    """An image folder is read at the size that the network is for."""
    if not images.name.startswith("imagefolder:"):
        return images
    return images.model_copy(update={"input_size": spec.input_size})


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)
