"""Run one training job, in this process or in several that train together."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytorch_lightning as pl
import torch
from filelock import FileLock, Timeout
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger

from blocks import build
from blocks.backbones import Normalisation
from blocks.deploy.reparametrised import reparametrise
from blocks.errors import InvalidInput
from nas.data import Batches, Data, DataInfo, load_data
from nas.folders import logs_dir, make_folder, source_of_logs_dir, source_of_runs_dir
from nas.naming import option
from nas.plugins import identity
from nas.runs import TrialFolder, write_text
from nas.training.averaging import WarmAveraging
from nas.training.best_epoch import best_epoch, is_exhausted, keep_best
from nas.training.checkpoint import CheckpointInfo, read_info
from nas.training.checks import check_augment, check_devices, check_fits, check_weights
from nas.training.distillation import load_teacher
from nas.training.job import EpochMetrics, TestResult, TrainJob
from nas.training.metrics import write_metrics
from nas.training.module import Classifier
from nas.training.more_epochs import as_written, gives_more, schedule_start
from nas.training.norms import set_momentum
from nas.training.own_module import blaming, make_module, module_class
from nas.training.owner import note_owner
from nas.training.processes import placement, train_together
from nas.training.progress import EpochCloser, interval_of, logged_error
from nas.training.rank_info import ALONE, RankInfo
from nas.training.shared_layers import share_layers
from nas.training.trained_on import check_same_classes

EVALUATION_BATCH = 500
LOSSES = ("weights", "logits")
"""Ways to balance classes that change the loss."""
PARENT_SECONDS = 7 * 24 * 3600.0
"""Seconds that a training waits for another process to train its parent. A process holds the lock of a
folder while it trains there; the limit matters only if that process hangs."""


def fit(
    job: TrainJob,
    on_epoch: Callable[[EpochMetrics], None] | None = None,
    *,
    lock_seconds: float = 0,
    bar: Callback | None = None,
) -> tuple[EpochMetrics, ...]:
    """Train until ``job.stop_epoch``, from the folder's checkpoint if there is one.

    Training 3 epochs and then 3 more gives the same weights as training 6. The parent of a job is
    trained first, by this process, or by another process that is training it.

    Args:
        job: What to train.
        on_epoch: Called at the end of every epoch.
        lock_seconds: How long to wait for another process that trains in the same folder.
        bar: Shows the progress, of a training in this process alone.

    Returns:
        All epochs of the trial so far. With ``job.full`` result.json is written as well.

    Raises:
        PluginFault: The module is not what it must be, or raises before its first epoch has ended.
        InvalidInput: The data are missing, the job does not fit them or the folder's checkpoint, the
            parent's checkpoint is damaged or of another training, or another process trains in the
            folder.
        WorkFailed: One of several processes failed or was killed.
        FloatingPointError: The loss is not finite.
    """
    if job.module is not None:
        module_class(job.module)  # before the images are read
    quieten()
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    if job.parent is not None:
        _finish(job.parent.model_copy(update={"threads": job.threads}))
    check_weights(job)
    data = load_data(job.data)
    check_fits(job.spec, data.info)
    if job.recipe.costs is not None:
        job.recipe.costs.of(data.info.class_names)  # refuses those of other classes
    check_augment(job.recipe, data.info)
    check_devices(job, data)
    folder = TrialFolder(job.folder)
    make_folder(folder.path, source_of_runs_dir(folder.path))
    logs = job.logs or logs_dir()
    make_folder(logs, source_of_logs_dir(logs))
    try:
        with FileLock(folder.lock, timeout=lock_seconds):
            note_owner(folder)
            with blaming(job):
                return _fit(job, data, on_epoch, bar)
    except Timeout:
        raise InvalidInput(f"{folder.path}: another process is training here") from None


def _fit(
    job: TrainJob,
    data: Data,
    on_epoch: Callable[[EpochMetrics], None] | None,
    bar: Callback | None,
) -> tuple[EpochMetrics, ...]:
    folder = TrialFolder(job.folder)
    write_text(folder.arch, job.spec.to_yaml())
    past = _trained_so_far(job, folder, data.info)
    write_metrics(folder, past.history)
    if job.devices == 1:
        return _train(job, data, past, on_epoch, bar=bar)
    return train_together(partial(_train_share, job, past), job, on_epoch)


def _train_share(
    job: TrainJob,
    past: Past,
    rank_info: RankInfo,
    on_epoch: Callable[[EpochMetrics], None],
) -> tuple[EpochMetrics, ...]:
    """The work of each of several processes."""
    quieten()
    data = load_data(job.data)
    with blaming(job):  # the lines of its code are not known in the parent process
        return _train(job, data, past, on_epoch, rank_info)


def _train(
    job: TrainJob,
    data: Data,
    past: Past,
    on_epoch: Callable[[EpochMetrics], None] | None,
    rank_info: RankInfo = ALONE,
    bar: Callback | None = None,
) -> tuple[EpochMetrics, ...]:
    folder = TrialFolder(job.folder)
    last = job.stop_epoch or job.recipe.epochs
    history = past.history
    teach = None if job.teacher is None else load_teacher(job.teacher, job.spec, data.info)
    torch.manual_seed(job.seed)
    seen = Normalisation(data.info.mean, data.info.std)
    net = build(job.spec, start=job.start, pretrained=job.weights, normalisation=seen)
    if job.recipe.reparametrise:
        reparametrise(net)
    set_momentum(net, job.recipe.norm_momentum)
    closer = EpochCloser(job, history, data.info, past.schedule_start, on_epoch)
    trainer = _trainer(job, last, closer, rank_info, bar)
    device = trainer.strategy.root_device
    train, val = _batches(job, data, device, rank_info)
    if rank_info.processes > 1:
        net = share_layers(net, rank_info, train.batch_images, device)
    module = make_module(job, net, data.info, len(train), rank_info, train.batch_images)
    if isinstance(module, Classifier):
        module.teach, module.schedule_start = teach, past.schedule_start
        if job.recipe.balance in LOSSES:
            module.balance_classes(data.class_counts(full=not job.validates))
        if job.recipe.costs is not None:
            module.costs = job.recipe.costs.of(data.info.class_names)
    elif teach is not None or past.schedule_start or job.recipe.balance in LOSSES:
        raise InvalidInput(
            f"module {job.module}: a teacher, a balanced loss, or more epochs than a finished training "
            "had, need a subclass of nas.training.module.Classifier"
        )
    if job.recipe.precision == "64-true":
        module.double()  # Lightning does so, but only after it has made the average
    if len(history) < last and not is_exhausted(history, job.patience):
        trainer.fit(
            module,
            train,
            val,
            ckpt_path=str(folder.checkpoint) if history else None,
            weights_only=True,
        )
    ended = len(closer.history) == job.recipe.epochs or is_exhausted(closer.history, job.patience)
    if job.full and ended and not folder.result.exists():
        _test(job, module, data, closer.history, rank_info)
    return closer.history


def _finish(parent: TrainJob) -> None:
    """Train ``parent`` to its end; its checkpoint is never written after that."""
    folder = TrialFolder(parent.folder)
    if folder.checkpoint.exists():
        try:
            info = read_info(folder.checkpoint)
        except InvalidInput as error:
            # Unlike other damaged checkpoints, it is not replaced: networks have started from it.
            raise InvalidInput(f"{error}; delete it to have {folder.path} trained anew") from None
        _check_same(parent, info)
        if len(info.history) == parent.recipe.epochs:
            return
    fit(parent, lock_seconds=PARENT_SECONDS)


@dataclass(frozen=True)
class Past:
    """What earlier processes have trained.

    Attributes:
        history: The epochs.
        schedule_start: Those before the present schedule began.
    """

    history: tuple[EpochMetrics, ...] = ()
    schedule_start: int = 0


def _trained_so_far(job: TrainJob, folder: TrialFolder, data: DataInfo) -> Past:
    """What the checkpoint to continue from says; nothing without a usable one."""
    if not folder.checkpoint.exists():
        return Past()
    try:
        info = read_info(folder.checkpoint)
    except InvalidInput as error:
        # Checkpoints are written atomically; this one was damaged from outside. The trial starts again.
        logging.getLogger("nas").warning("%s; training starts over", error)
        return Past()
    job = as_written(job, info)
    _check_same(job, info)
    check_same_classes(info, data)
    start = schedule_start(job, info)
    if job.recipe.epochs > info.recipe.epochs:
        folder.result.unlink(missing_ok=True)  # of the shorter training
    if job.keep == "best":
        keep_best(folder, info.history)
    return Past(info.history, start)


def _check_same(job: TrainJob, info: CheckpointInfo) -> None:
    """Raise InvalidInput when the checkpoint in the job's folder is not one of the job."""
    if gives_more(job, info):
        job = job.model_copy(update={"recipe": info.recipe})
    here, there = _identity(job), _identity(info)
    differs = [name for name in here if here[name] != there[name]]
    if differs:
        raise InvalidInput(
            f"{TrialFolder(job.folder).checkpoint}: belongs to another training (other "
            f"{', '.join(differs)}); start over with "
            f"{option('again', True)}, or take its options"
        )


def _identity(training: TrainJob | CheckpointInfo) -> dict[str, object]:
    """The settings that identify a training, without the location and the readers of the images."""
    if isinstance(training, TrainJob):
        weights, teacher = training.pretrained_digest(), training.teacher_digest()
    else:
        weights, teacher = training.pretrained, training.teacher
    return {
        "network": training.spec.key,
        "data": {
            **training.data.model_dump(
                exclude={"data_dir", "workers", "cache_gb", "record", "splits"}
            ),
            "name": identity(training.data.name),
        },
        "recipe": training.recipe,
        "seed": training.seed,
        "use of the held-out images": (training.full, training.validates),
        "choice of the weights": training.keep,
        "teacher": teacher,
        "start": training.start,
        "pretrained weights": weights,
        "module": None if training.module is None else identity(training.module),
    }


def _batches(
    job: TrainJob, data: Data, device: torch.device, rank_info: RankInfo
) -> tuple[Batches, Batches | None]:
    share = (rank_info.rank, rank_info.processes)
    train = data.train_batches(
        job.recipe.batch_size,
        job.seed,
        device,
        full=not job.validates,
        balanced=job.recipe.balance == "sampling",
        augment=job.recipe.augment,
    )
    val = None if not job.validates else data.val_batches(EVALUATION_BATCH, device)
    return train.share(*share), None if val is None else val.share(*share)


def _trainer(
    job: TrainJob, last: int, closer: EpochCloser, rank_info: RankInfo, bar: Callback | None
) -> pl.Trainer:
    callbacks: list[Callback] = [closer] if bar is None else [bar, closer]
    if job.recipe.ema_decay > 0:
        callbacks.insert(0, WarmAveraging(job.recipe.ema_decay))
    return pl.Trainer(
        **placement(rank_info),
        precision=job.recipe.precision,
        max_epochs=last,
        callbacks=callbacks,
        logger=TensorBoardLogger(
            job.logs or logs_dir(), name=job.log_name, version=job.log_version
        ),
        # Ours is known to be right.
        num_sanity_val_steps=0 if job.module is None else 1,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1_000_000,
    )


def _test(
    job: TrainJob,
    module: pl.LightningModule,
    data: Data,
    history: tuple[EpochMetrics, ...],
    rank_info: RankInfo,
) -> None:
    """Evaluate on the test set once, with the weights that are kept."""
    folder = TrialFolder(job.folder)
    tester = pl.Trainer(
        **placement(rank_info),
        precision="64-true" if job.recipe.precision == "64-true" else "32-true",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    batches = data.test_batches(EVALUATION_BATCH, tester.strategy.root_device)
    batches = batches.share(rank_info.rank, rank_info.processes)
    tester.test(module, batches, ckpt_path=str(folder.kept), weights_only=True, verbose=False)
    error = logged_error(tester, module, "test_error", job.module)
    found = {name: float(value) for name, value in tester.callback_metrics.items()}
    if rank_info.rank > 0:
        return
    info = data.info
    result = TestResult(
        test_error=round(error, 7),
        test_loss=found.get("test_loss"),
        test_images=info.test_images,
        metric=job.recipe.metric,
        test_metric=found.get("test_metric"),
        test_interval=interval_of(found, "test"),
        train_images=info.train_images + (0 if job.validates else info.val_images),
        epochs=len(history),
        seed=job.seed,
        kept_epoch=best_epoch(history) if job.keep == "best" else None,
    )
    write_text(folder.result, result.model_dump_json(indent=2) + "\n")


def quieten() -> None:
    """Keep Lightning's banners and hints about DataLoaders out of a sweep's output."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning_fabric")
