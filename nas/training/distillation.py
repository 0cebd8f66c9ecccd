"""Distillation: a network learns the outputs of a larger one beside the labels.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. The teacher sees the same
augmented images as the network, as Beyer et al. (CVPR 2022) recommend; so nothing is cached.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from blocks import ArchSpec
from blocks.backbones import Normalisation
from blocks.errors import InvalidInput
from nas.data import DataInfo
from nas.training.checkpoint import load_checkpoint
from nas.training.timm_teacher import TimmName, load_timm

WEIGHT = 0.5
"""Of the teacher's part of the loss; the labels have the rest."""
TEMPERATURE = 2.0


def load_teacher(teacher: str, spec: ArchSpec, info: DataInfo) -> Callable[[Tensor], Tensor]:
    """The outputs of a trained network, for one of ``spec`` to learn.

    Args:
        teacher: A checkpoint of this program, ``timm:NAME`` or ``timm:NAME=FILE``.
        spec: The network that learns.
        info: Its images.

    Returns:
        A function from images (B, C, H, W) of any size to logits (B, num_classes), without gradients.
        It is a function, not a module: the teacher is no part of checkpoints and averages.

    Raises:
        InvalidInput: The file is no checkpoint, the teacher knows other classes or channels, or timm
            does not have it.
    """
    wanted = TimmName.parse(teacher)
    if wanted is None:
        net, side = _load_own(Path(teacher), spec, info)
        scale, offset = torch.ones(1), torch.zeros(1)
    else:
        net, side, expected = load_timm(wanted, spec)
        scale, offset = (
            one.view(-1, 1, 1) for one in expected.seen_from(Normalisation(info.mean, info.std))
        )
    net.requires_grad_(False)

    @torch.no_grad()
    def teach(images: Tensor) -> Tensor:
        images = scale.to(images) * (images - offset.to(images))
        if images.shape[-1] != side:
            images = functional.interpolate(
                images, (side, side), mode="bilinear", antialias=True, align_corners=False
            )
        logits: Tensor = net.to(images)(images)
        return logits

    return teach


def _load_own(path: Path, spec: ArchSpec, info: DataInfo) -> tuple[nn.Module, int]:
    loaded = load_checkpoint(path)
    for field in ("num_classes", "in_channels"):
        have, want = getattr(loaded.info.spec, field), getattr(spec, field)
        if have != want:
            raise InvalidInput(f"teacher {path}: {field} {have}; the network has {want}")
    known = loaded.info.class_names  # an earlier version wrote none
    if known is not None and known != info.class_names:
        other = next(pair for pair in zip(known, info.class_names, strict=True) if len({*pair}) > 1)
        raise InvalidInput(
            f"teacher {path}: other classes: {other[0]!r} where {info.name} has {other[1]!r}"
        )
    return loaded.model, loaded.info.spec.input_size


def distilled(loss: Tensor, logits: Tensor, taught: Tensor) -> Tensor:
    """The loss with the teacher's part: ``WEIGHT`` times the divergence at ``TEMPERATURE``.

    Args:
        loss: Of the labels.
        logits: (B, num_classes) of the network.
        taught: (B, num_classes) of the teacher.
    """
    divergence = functional.kl_div(
        functional.log_softmax(logits / TEMPERATURE, 1),
        functional.log_softmax(taught / TEMPERATURE, 1),
        reduction="batchmean",
        log_target=True,
    )
    # Gradients at a temperature are smaller by its square (section 2 of the paper).
    return (1 - WEIGHT) * loss + WEIGHT * TEMPERATURE**2 * divergence
