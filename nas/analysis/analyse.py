"""Analyses the attention of the network in a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from blocks.errors import InvalidInput
from nas.analysis.attention import Attention, collect
from nas.analysis.scales import SCALES, check_scales
from nas.analysis.units import SkUnit, find_unit, sk_units
from nas.data import DataConfig, DataInfo, load_data
from nas.data.config import is_same_data
from nas.training import CheckpointInfo, check_fits, load_checkpoint
from nas.training.trained_on import check_same_classes, images_of

BATCH = 100


@dataclass(frozen=True)
class Request:
    """The options of an analysis.

    Attributes:
        checkpoint: Checkpoint of a trial or of a full training.
        data: Name of the data set; None: that of the training.
        data_dir: Folder with the images; None: that of the training.
        scales: Object scales; they include 1.
        limit: Number of images from the start of the validation split; None: all.
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
    """The result of an analysis.

    Attributes:
        checkpoint: The file of the checkpoint.
        info: The description in the checkpoint.
        data: Facts about the images.
        attention: The attention of every unit on validation images.
        unit: The unit whose channels are shown.
    """

    checkpoint: Path
    info: CheckpointInfo
    data: DataInfo
    attention: Attention
    unit: SkUnit

    @property
    def images(self) -> int:
        """Number of analysed validation images."""
        return len(self.attention.labels)

    @property
    def split(self) -> str:
        """Name of the split, with a note if the network was trained on it."""
        return "validation (also trained on)" if self.info.full else "validation"


def analyse(request: Request) -> Analysis:
    """Read the attention of a network on the validation images.

    The network has its averaged weights and is in evaluation mode, as in an export. The images have no
    scale jitter, since the crop needs the object in the middle.

    Raises:
        InvalidInput: The checkpoint or the data are missing, the data do not fit the network, the
            network has no attention, or an option is out of range.
        WorkFailed: The network's weights are damaged.
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
    data = load_data(_images(images_of(request.checkpoint, info), request))
    check_fits(info.spec, data.info)
    check_same_classes(info, data.info)
    batches = data.val_batches(BATCH, torch.device("cpu"))
    attention = collect(loaded.model, units, batches, scales, request.limit)
    return Analysis(request.checkpoint, info, data.info, attention, unit)


def _images(trained_on: DataConfig, request: Request) -> DataConfig:
    """The requested images; the training's own data set keeps its settings, such as the crop size."""
    if request.data is not None and not is_same_data(request.data, trained_on.name):
        return DataConfig(name=request.data, data_dir=request.data_dir)
    directory = request.data_dir or trained_on.data_dir
    changes = {"scale_jitter": None, "limit": None, "data_dir": directory}
    return trained_on.model_copy(update=changes)
