"""The LightningModule that a job trains: the program's, or one of one's own by reference."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytorch_lightning as pl
from torch import nn

from blocks.errors import InvalidInput
from blocks.plugins import frame_to_blame, reason_of
from nas.data import DataInfo
from nas.errors import WorkFailed
from nas.plugins import Expected, PluginFault, PluginRaised, calling, place_of, resolve
from nas.runs import TrialFolder
from nas.training.genuine import cannot_write, is_genuine
from nas.training.job import TrainJob
from nas.training.metrics import read_metrics
from nas.training.module import Classifier
from nas.training.rank_info import RankInfo

CONTRACT = "a LightningModule made as NAME(net, recipe, num_classes, steps_per_epoch)"
STEPS = "steps that take batches of images (B, C, H, W) and int64 labels (B,)"
EXPECTED = Expected(
    f"{CONTRACT}, or a subclass of nas.training.module.Classifier",
    lambda thing: inspect.isclass(thing) and issubclass(thing, pl.LightningModule),
)


def module_class(reference: str) -> type[pl.LightningModule]:
    """The class that a reference names.

    Raises:
        PluginFault: It has gone, or is no LightningModule.
    """
    return cast(type[pl.LightningModule], resolve(reference, "module", EXPECTED))


def make_module(
    job: TrainJob,
    net: nn.Module,
    info: DataInfo,
    steps: int,
    rank_info: RankInfo,
    batch_images: int,
) -> pl.LightningModule:
    """What Lightning trains: ``job.module``, or a :class:`Classifier`.

    Args:
        job: Names the class and holds the recipe.
        net: The network.
        info: Of the data.
        steps: Batches an epoch.
        rank_info: Of this process among those that train together.
        batch_images: Images in a batch of all processes.

    Raises:
        PluginFault: The class has gone, cannot be made, or does not keep the network as ``net``.
        InvalidInput: Several processes train a module that does not derive from Classifier.
    """
    ours = (net, job.recipe, info.num_classes, steps)
    if job.module is None:
        return Classifier(*ours, rank_info, batch_images)
    kind = module_class(job.module)
    arguments: tuple[Any, ...] = ours
    if issubclass(kind, Classifier):
        arguments = (*ours, rank_info, batch_images)
    elif job.devices > 1:
        raise InvalidInput(
            f"module {job.module}: {place_of(kind)}: with devices {job.devices} expected a subclass of "
            "nas.training.module.Classifier, which knows its share of a batch; allowed: devices 1"
        )
    with calling("module", job.module, CONTRACT, kind):
        made = kind(*arguments)
    if getattr(made, "net", None) is not net:
        raise PluginFault(
            f"module {job.module}: {place_of(kind)}: its attribute net is not the network that it was "
            "given; expected self.net = net, which is what is exported"
        )
    return made


@contextmanager
def blaming(job: TrainJob) -> Iterator[None]:
    """Make one line of what the code of ``job.module`` raises in a training.

    Raises:
        PluginRaised: It raises before its first epoch has ended. Names the file and the line.
        WorkFailed: It raises later, for want of memory, or because the loss is not finite.
    """
    try:
        yield
    except (PluginFault, WorkFailed):
        raise
    except Exception as error:
        frame = frame_to_blame(error)
        if job.module is None or cannot_write(error):
            raise
        if frame is None:
            if isinstance(error, FloatingPointError):
                place = place_of(module_class(job.module))
                raise WorkFailed(f"module {job.module}: {place}: {error}") from error
            raise
        trained = read_metrics(TrialFolder(job.folder))
        kind = WorkFailed if trained or is_genuine(error) else PluginRaised
        said = (
            f"module {job.module}: {frame.filename}, line {frame.lineno}, in {frame.name}: "
            f"{reason_of(error)}"
        )
        raise kind(f"{said}; expected {STEPS}" if kind is PluginRaised else said) from error
