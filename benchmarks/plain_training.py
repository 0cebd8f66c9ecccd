"""A proxy trial in the plain way: a PyTorch loop, torchvision's transforms, timm's units.

What ``training_throughput.py`` sets the program's own way against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from sk_peers import check_equal, timm_unit
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from blocks import ArchSpec, SelectiveKernel, build
from nas.data import Batches, DataConfig, DataInfo, load_data
from nas.training import Recipe, TrainJob

CROP_PADDING = 2
EVALUATION_BATCH = 500
TOLERANCE = 1e-4

Loader: TypeAlias = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Setting:
    """What is trained, where."""

    spec: ArchSpec
    data: DataConfig
    recipe: Recipe
    device: torch.device
    threads: int

    def job(self, folder: Path) -> TrainJob:
        """The trial, in the program's words."""
        return TrainJob(
            spec=self.spec,
            data=self.data,
            recipe=self.recipe,
            seed=0,
            folder=folder,
            log_name="training_throughput",
            log_version=folder.name,
            threads=self.threads,
        )


@dataclass(frozen=True)
class PlainImages(Dataset[tuple[Tensor, Tensor]]):
    """Images and labels, each image transformed when it is asked for."""

    images: Tensor
    labels: Tensor
    transform: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One image as the network takes it, and its class."""
        return self.transform(self.images[index]), self.labels[index]


@dataclass(frozen=True)
class PlainLoaders:
    """DataLoaders of the training and the held-out images."""

    train: Loader
    held_out: Loader


class PlainLoop:
    """The plain way to train ``net``."""

    def __init__(self, net: nn.Module, recipe: Recipe, device: torch.device) -> None:
        self.net, self.device = net.to(device), device
        self.loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.optimizer = torch.optim.SGD(
            net.parameters(),
            recipe.lr,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
        )
        # Longer than any run of this file: what a step costs does not depend on where it stands.
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, recipe.lr, 10**6)

    def step(self, images: Tensor, labels: Tensor) -> float:
        """One batch."""
        self.optimizer.zero_grad()
        loss = self.loss(self.net(images), labels)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return float(loss.item())

    def epoch(self, loaders: PlainLoaders, averaged: AveragedModel) -> None:
        """Training and evaluation."""
        self.net.train()
        for images, labels in loaders.train:
            self.step(images.to(self.device), labels.to(self.device))
            averaged.update_parameters(self.net)
        evaluate(averaged, loaders.held_out, self.device)


@torch.no_grad()
def evaluate(net: nn.Module, batches: Loader, device: torch.device) -> float:
    """Share of the images that are named rightly."""
    net.eval()
    right = total = 0
    for images, labels in batches:
        right += int((net(images.to(device)).argmax(1) == labels.to(device)).sum())
        total += len(labels)
    return right / total


def plain_loaders(setting: Setting, workers: int) -> PlainLoaders:
    """The images of the trial with torchvision's transforms."""
    raw = load_data(setting.data.model_copy(update={"flip": False, "crop_padding": 0}))
    info, cpu = raw.info, torch.device("cpu")
    plain = [
        transforms.ConvertImageDtype(torch.float32),
        transforms.Normalize(info.mean, info.std),
    ]
    augment = [
        transforms.RandomCrop(info.input_size, padding=CROP_PADDING),
        transforms.RandomHorizontalFlip(),
    ]
    common: dict[str, Any] = {
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "pin_memory": setting.device.type == "cuda",
    }
    train = PlainImages(
        *pixels(raw.train_batches(info.train_images, 0, cpu), info),
        transforms.Compose([*augment, *plain]),
    )
    held_out = PlainImages(
        *pixels(raw.val_batches(EVALUATION_BATCH, cpu), info), transforms.Compose(plain)
    )
    return PlainLoaders(
        DataLoader(train, setting.recipe.batch_size, shuffle=True, drop_last=True, **common),
        DataLoader(held_out, EVALUATION_BATCH, **common),
    )


def pixels(batches: Batches, info: DataInfo) -> tuple[Tensor, Tensor]:
    """The images of normalised batches as bytes, NCHW, and their labels."""
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    mean, std = (torch.tensor(values)[:, None, None] for values in (info.mean, info.std))
    levels = ((images * std + mean) * 255).round().byte()
    # A copy: `contiguous` leaves one-channel images with the strides of channels last.
    return levels.clone(memory_format=torch.contiguous_format), labels


def plain_network(setting: Setting) -> nn.Module:
    """The trial's network with timm's units, checked against the one with ours."""
    spec = setting.spec
    ours: nn.Module = build(spec)
    theirs: nn.Module = build(spec)
    theirs.load_state_dict(ours.state_dict())
    for name, unit in list(theirs.named_modules()):
        if isinstance(unit, SelectiveKernel):
            theirs.set_submodule(name, timm_unit(unit))
    x = torch.randn(8, spec.in_channels, spec.input_size, spec.input_size)
    with torch.no_grad():
        check_equal("the plain network", theirs.eval()(x), ours.eval()(x), TOLERANCE)
    return theirs
