"""EfficientNet-Lite0: EfficientNet-B0 (Tan and Le, ICML 2019) for mobile devices.

It has ReLU6 and no squeeze-and-excitation, and its stem and head are not scaled by the width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from blocks.backbones.base import Geometry, Normalisation, adapt_stem
from blocks.backbones.mobilenet import MobileNet
from blocks.units.surgery import insert

# Expansion, output channels, number of blocks, stride, kernel: efficientnet_lite_builder.py.
SETTING = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM, HEAD = 32, 1280
DROPOUT = 0.2
NORM = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
TRAINED_ON = Normalisation((127 / 255,), (128 / 255,))
"""How the images were normalised in the original training: (pixel - 127) / 128."""

OFFSET = "features.0_offset.value"

Layer = partial(Conv2dNormActivation, norm_layer=NORM, activation_layer=nn.ReLU6)


class Offset(nn.Module):
    """Subtracts a constant from each channel of the image; 0 unless weights were loaded with another.

    The zeros that the first convolution pads with stand for one colour. Weights that were trained with
    another normalisation keep their colour by this constant.
    """

    value: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(1, channels, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """``images`` (B, C, H, W) minus the constant."""
        return images - self.value


class InvertedResidual(nn.Module):
    """A block: expand, depthwise convolution, project; the layers are named as in MobileNetV2."""

    def __init__(self, inputs: int, outputs: int, expand: int, stride: int, kernel: int) -> None:
        super().__init__()
        inner = inputs * expand
        layers: list[nn.Module] = [] if expand == 1 else [Layer(inputs, inner, 1)]
        self.conv = nn.Sequential(
            *layers,
            Layer(inner, inner, kernel, stride, groups=inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            NORM(outputs),
        )
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to ``x`` (B, C, H, W)."""
        y: Tensor = self.conv(x)
        return x + y if self.is_residual else y


class EfficientNetLite(nn.Module):
    """The network, (B, 3, H, W) to (B, num_classes) logits; every convolution is padded evenly."""

    def __init__(self, width_mult: float, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [Layer(3, STEM, 3, 2)]
        inputs = STEM
        for expand, channels, repeats, stride, kernel in SETTING:
            outputs = _rounded(channels * width_mult)
            for number in range(repeats):
                first = stride if number == 0 else 1
                layers.append(InvertedResidual(inputs, outputs, expand, first, kernel))
                inputs = outputs
        layers.append(Layer(inputs, HEAD, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(HEAD, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes) of ``images`` (B, C, H, W)."""
        maps = nn.functional.adaptive_avg_pool2d(self.features(images), 1)
        logits: Tensor = self.classifier(maps.flatten(1))
        return logits


class EfficientNetLite0(MobileNet):
    """Any width multiplier; stages 1 to 5 by resolution, as in MobileNetV2.

    The published weights come from TensorFlow, which pads a convolution of stride 2 on an even number of
    pixels by one pixel less on the left and at the top. A layer before such a convolution does so.
    """

    def __init__(self) -> None:
        super().__init__(EfficientNetLite, classifier="classifier.1", branch="conv")

    def make(self, geometry: Geometry) -> nn.Module:  # noqa: D102
        model = EfficientNetLite(geometry.width, geometry.num_classes)
        adapt_stem(model, self.stem(), geometry)
        strided = [self.stem(), *(paths.conv for paths in self.module_paths(model))]
        side = geometry.input_size
        for path in strided:
            conv = model.get_submodule(path)
            assert isinstance(conv, nn.Conv2d)
            if conv.stride == (2, 2):
                if side % 2 == 0:
                    conv.padding = (conv.kernel_size[0] // 2 - 1,) * 2
                    insert(model, path, "pad", nn.ZeroPad2d((0, 1, 0, 1)), before=True)
                side = -(-side // 2)
        insert(model, "features.0", "offset", Offset(geometry.in_channels), before=True)
        return model

    def convert(  # noqa: D102
        self, state: Mapping[str, Tensor], normalisation: Normalisation
    ) -> dict[str, Tensor]:
        if "_conv_stem.weight" not in state:
            return dict(state)
        names = _names()
        converted = {names.get(name, name): value for name, value in state.items()}
        self.spread_stem(converted, len(normalisation.mean))
        scale, offset = TRAINED_ON.seen_from(normalisation)
        stem = f"{self.stem()}.weight"
        converted[stem] = converted[stem] * scale.view(1, -1, 1, 1)
        return {**converted, OFFSET: offset.view(1, -1, 1, 1)}

    def spread_stem(self, state: dict[str, Tensor], channels: int) -> None:  # noqa: D102
        super().spread_stem(state, channels)
        if OFFSET in state and state[OFFSET].numel() != channels:
            state[OFFSET] = state[OFFSET].mean().expand(1, channels, 1, 1)


def _rounded(channels: float) -> int:
    """The nearest multiple of 8 that is not below 90 % of ``channels``."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def _names() -> dict[str, str]:
    """Names of the EfficientNet-Lite port to PyTorch (package efficientnet-lite-pytorch) -> ours."""
    layers = {"_conv_stem": "features.0.0", "_bn0": "features.0.1"}
    number = 0
    for expand, _, repeats, _, _ in SETTING:
        for _ in range(repeats):
            theirs, ours = f"_blocks.{number}", f"features.{number + 1}.conv"
            if expand != 1:
                layers |= {f"{theirs}._expand_conv": f"{ours}.0.0", f"{theirs}._bn0": f"{ours}.0.1"}
            at = int(expand != 1)
            layers |= {
                f"{theirs}._depthwise_conv": f"{ours}.{at}.0",
                f"{theirs}._bn1": f"{ours}.{at}.1",
                f"{theirs}._project_conv": f"{ours}.{at + 1}",
                f"{theirs}._bn2": f"{ours}.{at + 2}",
            }
            number += 1
    layers |= {
        "_conv_head": f"features.{number + 1}.0",
        "_bn1": f"features.{number + 1}.1",
        "_fc": "classifier.1",
    }
    return {
        f"{theirs}.{value}": f"{ours}.{value}"
        for theirs, ours in layers.items()
        for value in VALUES
    }


VALUES: Sequence[str] = (
    "weight", "bias", "running_mean", "running_var", "num_batches_tracked"
)  # fmt: skip

BACKBONES: dict[str, EfficientNetLite0] = {"efficientnet_lite0": EfficientNetLite0()}
