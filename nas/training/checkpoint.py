"""Checkpoints: the full state to continue a training, and to export its network."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from blocks import ArchSpec, build
from blocks.deploy.reparametrised import merge_branches, reparametrise
from blocks.errors import InvalidInput
from nas.data import DataConfig
from nas.data.config import stored_data
from nas.training.job import EpochMetrics
from nas.training.pretrained import WeightsOrigin
from nas.training.recipe import Recipe

FORMAT = 1


class CheckpointInfo(BaseModel):
    """The description in a checkpoint, beside the tensors.

    Attributes:
        format: Version of this layout.
        spec: The network; it is enough to rebuild the module.
        data: The images of the training.
        recipe: The recipe of the training.
        seed: Seed of the training.
        full: Whether the training included the held-out images.
        start: Initial weights of the units.
        pretrained: SHA-256 of the file of pretrained weights; None: there was none.
        origin: Where those weights come from, where that is known.
        patience: The job's.
        keep: The job's.
        teacher: SHA-256 of the teacher's checkpoint; None: there was none.
        schedule_start: Epochs that were trained before the present schedule began: a finished training
            that was given more epochs has another schedule for those.
        module: Reference of the LightningModule that trained it; None: the program's. Loading the
            network does not import it.
        history: The epochs so far.
        class_names: One name per class, in the order of the logits; None: an earlier version wrote it.
        fingerprint: Digest of the photographs, their classes and splits; None: it trained on none, or an
            earlier version wrote it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    spec: ArchSpec
    data: DataConfig
    recipe: Recipe
    seed: int
    full: bool
    start: Literal["fresh", "plain"] = "fresh"
    pretrained: str | None = None
    origin: WeightsOrigin | None = None
    patience: int | None = None
    keep: Literal["last", "best"] = "last"
    teacher: str | None = None
    schedule_start: int = 0
    module: str | None = None
    history: tuple[EpochMetrics, ...]
    class_names: tuple[str, ...] | None = None
    fingerprint: str | None = None

    @property
    def validates(self) -> bool:
        """Whether the validation images were held out."""
        return not self.full or self.patience is not None or self.keep == "best"


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint: the network with its averaged weights in eval mode, and its description."""

    model: nn.Module
    info: CheckpointInfo


def describe(checkpoint: dict[str, Any], info: CheckpointInfo) -> None:
    """Add the description to a checkpoint that Lightning is about to write.

    ``model`` names the averaged weights by the network's own names; they share memory, and so bytes in
    the file, with Lightning's ``state_dict``. Branches of the training alone are merged in it.
    """
    checkpoint["sknas"] = info.model_dump(mode="json")
    weights = {
        name.removeprefix("net."): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith("net.")
    }
    checkpoint["model"] = _merged(weights, info) if info.recipe.reparametrise else weights


def _merged(weights: dict[str, Tensor], info: CheckpointInfo) -> dict[str, Tensor]:
    net = reparametrise(build(info.spec))
    if info.recipe.precision == "64-true":
        net.double()
    net.load_state_dict(weights)
    return merge_branches(net).state_dict()


def read_info(path: Path) -> CheckpointInfo:
    """The description in the checkpoint at ``path``.

    Raises:
        InvalidInput: The file is missing, damaged, or not a checkpoint of this program.
    """
    return _info(load_content(path), path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Rebuild the network of a checkpoint in evaluation mode.

    Raises:
        InvalidInput: The file is missing, damaged, or not a checkpoint of this program.
    """
    content = load_content(path)
    info = _info(content, path)
    model = build(info.spec)
    try:
        model.load_state_dict(content["model"])
    except (KeyError, RuntimeError, TypeError, AttributeError):
        raise InvalidInput(f"{path}: the weights are not those of the network it names") from None
    return Checkpoint(model.eval(), info)


def load_content(path: Path) -> dict[str, Any]:
    """The content of the checkpoint at ``path``; no code in it is executed.

    Raises:
        InvalidInput: The file is missing, damaged, or not a checkpoint.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # foreign pickles, before torch refuses them
            content = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InvalidInput(f"{path}: a folder, not a checkpoint") from None
    except Exception:  # torch raises almost any error for a file of another kind
        raise InvalidInput(f"{path}: not a checkpoint, or a damaged one") from None
    if not isinstance(content, dict):
        raise InvalidInput(f"{path}: not a checkpoint of this program")
    return content


def _info(content: dict[str, Any], path: Path) -> CheckpointInfo:
    description = content.get("sknas")
    if not isinstance(description, dict):
        raise InvalidInput(f"{path}: not a checkpoint of this program")
    if description.get("format") != FORMAT:
        raise InvalidInput(
            f"{path}: format {description.get('format')}; this version of sknas reads {FORMAT}"
        )
    try:
        data = stored_data(description.get("data"))
        return CheckpointInfo.model_validate({**description, "data": data})
    except ValidationError as error:
        first = error.errors()[0]
        if (
            first["type"] == "value_error"
        ):  # our own errors, such as that of a unit without its plugin
            raise InvalidInput(f"{path}: {first['msg'].removeprefix('Value error, ')}") from None
        raise InvalidInput(f"{path}: the description in the checkpoint is damaged") from None
