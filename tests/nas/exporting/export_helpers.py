"""Networks and data that the tests of exporting share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from blocks import ArchSpec, SelectiveKernel, UnitSpec, build
from nas.exporting.targets import TARGETS, Quantization, Written


def write(name: str, model: nn.Module, example: Tensor, folder: Path) -> Written:
    """The files of a target in float32."""
    made = TARGETS[name].write
    assert made is not None
    return made(model, example, folder)


def quantize(name: str, model: nn.Module, how: Quantization, folder: Path) -> Written:
    """The files of a target in int8."""
    made = TARGETS[name].quantize
    assert made is not None
    return made(model, how, folder)


PLAIN: dict[str, Any] = {"kind": "none"}
TWO: dict[str, Any] = {}
THREE: dict[str, Any] = {"dilations": (1, 2, 3), "branch_act": False}


def network(**unit: Any) -> nn.Module:
    """A ShuffleNetV2 for grey images of 32 pixels, with statistics of real passes.

    The unit stands in one stage: the passes of the runtimes take seconds for each of them.
    """
    torch.manual_seed(0)
    spec = ArchSpec(
        backbone="shufflenet_v2",
        width=0.5,
        num_classes=10,
        in_channels=1,
        input_size=32,
        stem_stride=1,
        unit=UnitSpec.model_validate({"kind": "none", "stages": {2: unit}}),
    )
    model = build(spec)
    for name, module in model.named_modules():
        if isinstance(module, SelectiveKernel) and module.attends:
            nn.init.normal_(module.select.weight)
        # The statistics of the one batch below; but not of the squeezed vectors, which differ so little
        # between random images that normalising them turns rounding into attention.
        elif isinstance(module, nn.BatchNorm2d) and ".fuse." not in name:
            module.momentum = None
    with torch.no_grad():
        model(torch.randn(32, 1, 32, 32))
    return model.eval()


def mobile_network() -> nn.Module:
    """An EfficientNet-Lite0 for colour images of 32 pixels: uneven padding, ReLU6, a shifted image."""
    torch.manual_seed(0)
    unit = {"kind": "sk", "kernel": "plain", "dilations": (1, 2), "branch_act": False}
    spec = ArchSpec(
        backbone="efficientnet_lite0",
        width=0.35,
        num_classes=10,
        input_size=32,
        unit=UnitSpec.model_validate({"kind": "none", "stages": {3: unit}}),
    )
    model = build(spec)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.get_buffer("features.0_offset.value")[0, :, 0, 0] = torch.tensor([0.1, 0.2, 0.4])
        model.get_parameter("classifier.1.weight").mul_(10)
        model(torch.randn(32, 3, 32, 32))
    return model.eval()


class Spoiled(nn.Module):
    """Four layers of which the second writes, and the third reads, one channel far above the others.

    In 8 bits the range of that channel leaves nothing for the others, on which the class depends.
    """

    def __init__(self, factor: float = 1e4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.loud = nn.Conv2d(8, 8, 3, padding=1)
        self.deaf = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Linear(8, 10)
        with torch.no_grad():
            self.loud.weight[0] *= factor
            self.deaf.weight[:, 0] = 0
            self.last.weight *= 1000  # scores of steps of 1/256 have to tell the classes apart
            # Every class is somebody's.
            self.last.bias.sub_(self(torch.randn(64, 1, 4, 4)).mean(0))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 10) of images (B, 1, H, W)."""
        x = self.loud(self.first(x).relu()).relu()
        logits: Tensor = self.last(self.deaf(x).relu().mean((2, 3)))
        return logits
