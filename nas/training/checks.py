"""Checks of a job before anything is written."""

from __future__ import annotations

import torch

from blocks import ArchSpec
from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.data import Data, DataInfo
from nas.training.job import TrainJob


def check_fits(spec: ArchSpec, info: DataInfo) -> None:
    """Raise InvalidInput when a network does not fit the images or classes of a data set."""
    for field in ("num_classes", "in_channels", "input_size"):
        have, want = getattr(spec, field), getattr(info, field)
        if have != want:
            raise InvalidInput(f"the network has {field} {have}, the data {info.name} has {want}")


def check_devices(job: TrainJob, data: Data) -> None:
    """Raise InvalidInput when a job cannot be divided among its processes."""
    if job.devices == 1:
        return
    gpus = torch.accelerator.device_count() if torch.accelerator.is_available() else None
    if gpus is not None and job.devices > gpus:
        raise InvalidInput(f"devices {job.devices}: allowed here: 1 to {gpus}, one for each GPU")
    cpu = torch.device("cpu")
    images = data.train_batches(job.recipe.batch_size, job.seed, cpu, full=job.full).batch_images
    if job.devices > images:
        raise InvalidInput(
            f"devices {job.devices}: a batch has {plural(images, 'image')}; allowed: 1 to {images}"
        )
