"""Checks of a job before anything is written."""

from __future__ import annotations

import torch

from blocks import ArchSpec
from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.data import Data, DataInfo
from nas.data.trivial_augment import CHANNELS
from nas.training.job import TrainJob
from nas.training.pretrained import changed, digest_of
from nas.training.recipe import Recipe


def check_fits(spec: ArchSpec, info: DataInfo) -> None:
    """Raise InvalidInput when a network does not fit the images or classes of a data set."""
    for field in ("num_classes", "in_channels", "input_size"):
        have, want = getattr(spec, field), getattr(info, field)
        if have != want:
            raise InvalidInput(f"the network has {field} {have}, the data {info.name} has {want}")


def check_augment(recipe: Recipe, info: DataInfo) -> None:
    """Raise InvalidInput when TrivialAugment does not know images of so many channels."""
    if recipe.augment == "trivial" and info.in_channels not in CHANNELS:
        raise InvalidInput(
            f"augment: trivial: the images of {info.name} have {info.in_channels} channels; allowed: "
            "images of 1 or 3 channels, or augment: standard"
        )


def check_weights(job: TrainJob) -> None:
    """Raise InvalidInput when the pretrained weights are not those that were asked for."""
    if job.origin is None or job.pretrained is None:
        return
    now = digest_of(job.pretrained)
    if now != job.origin.sha256:
        raise InvalidInput(changed(job.pretrained, now, job.origin.sha256))


def check_devices(job: TrainJob, data: Data) -> None:
    """Raise InvalidInput when a job cannot be divided among its processes."""
    if job.devices == 1:
        return
    if job.recipe.mixup > 0 or job.recipe.cutmix > 0:
        # Images are blended with others of the batch, of which each process has a share.
        raise InvalidInput(f"devices {job.devices}: with mixup or cutmix; allowed: devices 1")
    gpus = torch.accelerator.device_count() if torch.accelerator.is_available() else None
    if gpus is not None and job.devices > gpus:
        raise InvalidInput(f"devices {job.devices}: allowed here: 1 to {gpus}, one for each GPU")
    cpu = torch.device("cpu")
    images = data.train_batches(
        job.recipe.batch_size, job.seed, cpu, full=not job.validates
    ).batch_images
    if job.devices > images:
        raise InvalidInput(
            f"devices {job.devices}: a batch has {plural(images, 'image')}; allowed: 1 to {images}"
        )
