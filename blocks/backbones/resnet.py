"""ResNet (He et al., CVPR 2016) and ResNeXt (Xie et al., CVPR 2017), the backbones of SKNet's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torchvision.models.resnet import Bottleneck
from torchvision.models.resnet import ResNet as TorchvisionResNet

from blocks.backbones.base import SMALL_INPUT, Backbone, Geometry, ModulePaths, adapt_stem

FIRST_STAGE = 2
"""``layer1`` is the papers' stage 2: SK_2_3 is the third block of ``layer1``."""


class ResNet(Backbone):
    """Bottleneck networks of one cardinality; stages 2 to 5 as the papers number them.

    The units replace, or surround, the 3x3 convolution of each block. The stem has no max-pool for
    images of up to 64 pixels.

    Args:
        blocks: Number of blocks in each stage.
        groups: Cardinality G of the 3x3 convolutions, default 1.
        group_width: Their channels per group in the first stage, default 64; doubled in each stage.
    """

    widths = (1.0,)

    def __init__(self, blocks: Sequence[int], groups: int = 1, group_width: int = 64) -> None:
        self._blocks = list(blocks)
        self._groups = groups
        self._group_width = group_width

    def make(self, geometry: Geometry) -> nn.Module:  # noqa: D102
        model = self._published(geometry.num_classes)
        adapt_stem(model, self.stem(), geometry)
        if geometry.input_size <= SMALL_INPUT:
            model.set_submodule("maxpool", nn.Identity())
        return model

    def _published(self, num_classes: int) -> nn.Module:
        """The network as published, with another number of classes."""
        model: nn.Module = TorchvisionResNet(
            Bottleneck,
            self._blocks,
            num_classes=num_classes,
            groups=self._groups,
            width_per_group=self._group_width,
        )
        return model

    def stem(self) -> str:  # noqa: D102
        return "conv1"

    def classifier(self) -> str:  # noqa: D102
        return "fc"

    def module_paths(self, model: nn.Module) -> list[ModulePaths]:  # noqa: D102
        return [
            ModulePaths(
                stage=FIRST_STAGE + layer,
                index=index,
                conv=f"{path}.conv2",
                norm=f"{path}.bn2",
                block=path,
                entry=f"{path}.conv1",
                exit=f"{path}.bn3",
                exit_norm=f"{path}.bn3",
                shortcut=f"{path}.downsample",
            )
            for layer, blocks in enumerate(self._blocks)
            for index in range(blocks)
            for path in [f"layer{layer + 1}.{index}"]
        ]


class CifarResNet(ResNet):
    """ResNeXt for 32x32 images (Xie et al., Sec. 5.3): a 3x3 stem, no max-pool, three stages."""

    def make(self, geometry: Geometry) -> nn.Module:  # noqa: D102
        whole = TorchvisionResNet(
            Bottleneck,
            # torchvision always builds four stages; the fourth is as small as possible and is dropped.
            [*self._blocks, 1],
            num_classes=geometry.num_classes,
            groups=self._groups,
            width_per_group=self._group_width,
        )
        stem = nn.Conv2d(geometry.in_channels, whole.conv1.out_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        model: nn.Module = whole
        model.set_submodule("conv1", stem)
        model.set_submodule("maxpool", nn.Identity())
        model.set_submodule("layer4", nn.Identity())
        model.set_submodule("fc", nn.Linear(whole.fc.in_features // 2, geometry.num_classes))
        adapt_stem(model, self.stem(), geometry)
        return model


class WiderResNeXt50(ResNet):
    """ResNeXt-50 (32x4d) with 17/16 of the channels after the stem, in 34 groups.

    This is "ResNeXt-50, wider" of SKNet's Table 3. The paper does not specify the wider layers: this
    design is inferred from the printed counts, and other designs match them, too.
    """

    def __init__(self) -> None:
        super().__init__([3, 4, 6, 3], groups=34, group_width=4)

    def _published(self, num_classes: int) -> nn.Module:
        model = _WiderStages(
            Bottleneck,
            self._blocks,
            groups=self._groups,
            # torchvision's value is for stages of 64, 128, ... channels; these have 68, 136, ...
            width_per_group=self._group_width * 16 / 17,
        )
        whole: nn.Module = model
        whole.set_submodule("fc", nn.Linear(model.inplanes, num_classes))
        return whole


class _WiderStages(TorchvisionResNet):  # type: ignore[misc]  # torchvision has no types
    """torchvision's network with 17/16 of the channels in each stage."""

    def _make_layer(
        self, block: type[Bottleneck], planes: int, *args: Any, **options: Any
    ) -> nn.Sequential:
        layer: nn.Sequential = super()._make_layer(block, planes * 17 // 16, *args, **options)
        return layer


BACKBONES: dict[str, ResNet] = {
    "resnet26": ResNet([2, 2, 2, 2]),
    "resnet50": ResNet([3, 4, 6, 3]),
    "resnet101": ResNet([3, 4, 23, 3]),
    "resnext26": ResNet([2, 2, 2, 2], groups=32, group_width=4),
    "resnext50": ResNet([3, 4, 6, 3], groups=32, group_width=4),
    "resnext50_36x4d": ResNet([3, 4, 6, 3], groups=36, group_width=4),
    "resnext50_wider": WiderResNeXt50(),  # inferred from the printed counts
    "resnext56": ResNet([3, 4, 8, 3], groups=32, group_width=4),
    "resnext101": ResNet([3, 4, 23, 3], groups=32, group_width=4),
    "resnext29_16x32d": CifarResNet([3, 3, 3], groups=16, group_width=32),
    "resnext29_8x64d": CifarResNet([3, 3, 3], groups=8, group_width=64),
    "resnext29_16x64d": CifarResNet([3, 3, 3], groups=16, group_width=64),
}
