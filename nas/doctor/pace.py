"""Times real training steps."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from blocks import ArchSpec, build
from nas.data import Batches, Data, load_data
from nas.doctor.course import Course, Pace, Paces
from nas.training.averaging import WarmAveraging
from nas.training.fit import EVALUATION_BATCH, quieten
from nas.training.module import Classifier
from nas.training.processes import placement
from nas.training.rank_info import ALONE

FEWEST_STEPS = 2
"""Number of untimed first steps, which are slower."""


def measure(course: Course) -> Paces:
    """Train each network for a few steps, as in a trial."""
    quieten()
    torch.set_num_threads(course.threads)
    began = time.perf_counter()
    data = load_data(course.data)
    loading = time.perf_counter() - began
    paces = tuple(_pace(spec, course, data) for spec in course.specs)
    cpu = "a CPU thread" if course.threads == 1 else f"{course.threads} CPU threads"
    device = "a GPU" if torch.accelerator.is_available() else cpu
    return Paces(loading=loading, networks=paces, device=device)


def _pace(spec: ArchSpec, course: Course, data: Data) -> Pace:
    began = time.perf_counter()
    clock = _Clock(course.seconds)
    averaging = [WarmAveraging(course.recipe.ema_decay)] if course.recipe.ema_decay > 0 else []
    trainer = pl.Trainer(
        **placement(ALONE),
        precision=course.recipe.precision,
        max_epochs=1,
        callbacks=[*averaging, clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    device = trainer.strategy.root_device
    train = data.train_batches(course.recipe.batch_size, 0, device)
    module = Classifier(build(spec), course.recipe, data.info.num_classes, len(train))
    trainer.fit(module, train)
    ticks = clock.ticks
    timed = len(ticks) - 1
    validation = _validate(module.to(device).eval(), data.val_batches(EVALUATION_BATCH, device))
    before = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="nas-") as folder:
        trainer.save_checkpoint(Path(folder) / "checkpoint.pt")
    checkpoint = time.perf_counter() - before
    first = ticks[0] - began
    return Pace(
        begin=first,
        # An epoch of one step has no later steps.
        step=(ticks[-1] - ticks[0]) / timed if timed else first,
        steps=timed,
        steps_per_epoch=len(train),
        validation=validation,
        checkpoint=checkpoint,
    )


def _validate(module: Classifier, batches: Batches) -> float:
    """Estimated seconds for all batches, from the first ones."""
    began, seen = _now(), 0
    with torch.inference_mode():
        for images, _ in batches:
            module(images)
            seen += 1
            if _now() - began > 1:
                break
    return (_now() - began) * len(batches) / seen


class _Clock(Callback):
    """Records the end of each step, and ends the training in time."""

    def __init__(self, seconds: float) -> None:
        self.ticks: list[float] = []
        self._seconds = seconds

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.ticks.append(_now())
        enough = len(self.ticks) >= FEWEST_STEPS
        trainer.should_stop = enough and self.ticks[-1] - self.ticks[0] > self._seconds


def _now() -> float:
    """The time after the GPU has finished its work."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()
