"""From a checkpoint to the attention of its network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from blocks.errors import InvalidInput
from nas.analysis.attention import Attention, collect
from nas.analysis.scales import SCALES, check_scales
from nas.analysis.units import SkUnit, find_unit, sk_units
from nas.data import DataConfig, DataInfo, load_data
from nas.training import CheckpointInfo, check_fits, load_checkpoint

BATCH = 100


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        checkpoint: Of a trial or of a full training.
        data: Name of the images; None: those the network was trained on.
        data_dir: Where the images are looked for; None: where the training did.
        scales: Object scales, 1 among them.
        limit: Only the first images of the validation split, in its fixed order; None: all.
        unit: Name of the unit whose channels are shown; None: the middle one.
    """

    checkpoint: Path
    data: str | None = None
    data_dir: str | None = None
    scales: tuple[float, ...] = SCALES
    limit: int | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Analysis:
    """What was found out.

    Attributes:
        checkpoint: The file.
        info: What the checkpoint says of itself.
        data: Facts about the images.
        attention: Of every unit, on validation images.
        unit: The one whose channels are shown.
    """

    checkpoint: Path
    info: CheckpointInfo
    data: DataInfo
    attention: Attention
    unit: SkUnit

    @property
    def images(self) -> int:
        """Number of validation images looked at."""
        return len(self.attention.labels)

    @property
    def split(self) -> str:
        """Which images these are; a full training has seen them, and that is to be known."""
        return "validation (trained on, too)" if self.info.full else "validation"


def analyse(request: Request) -> Analysis:
    """Read the attention of a network on the validation images.

    The network has its averaged weights and is in evaluation mode, as it is exported. Images are taken
    without scale jitter, whatever the training had: the crop wants the object in the middle.

    Raises:
        InvalidInput: No such checkpoint or data, data that do not fit the network, a network without
            attention, or an option out of range.
        WorkFailed: The network's weights are broken.
    """
    if request.limit is not None and request.limit < 1:
        raise InvalidInput(f"--limit {request.limit}: allowed: 1 or more")
    loaded = load_checkpoint(request.checkpoint)
    info = loaded.info
    try:
        units = sk_units(loaded.model, info.spec)
    except InvalidInput as error:
        raise InvalidInput(f"{request.checkpoint}: {error}") from None
    unit = find_unit(units, request.unit)
    scales = check_scales(request.scales, info.spec.input_size)
    data = load_data(_images(info.data, request))
    check_fits(info.spec, data.info)
    batches = data.val_batches(BATCH, torch.device("cpu"))
    attention = collect(loaded.model, units, batches, scales, request.limit)
    return Analysis(request.checkpoint, info, data.info, attention, unit)


def _images(trained_on: DataConfig, request: Request) -> DataConfig:
    """The images asked for; of the training's own set with its settings (the size of a crop)."""
    if request.data not in (None, trained_on.name):
        return DataConfig(name=request.data, data_dir=request.data_dir)
    directory = request.data_dir or trained_on.data_dir
    changes = {"scale_jitter": None, "limit": None, "data_dir": directory}
    return trained_on.model_copy(update=changes)
