"""ResNet (He et al., CVPR 2016) and ResNeXt (Xie et al., CVPR 2017), the backbones of SKNet's tables."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torchvision.models.resnet import Bottleneck
from torchvision.models.resnet import ResNet as TorchvisionResNet

from blocks.backbones.base import SMALL_INPUT, Backbone, Geometry, Place, adapt_stem

FIRST_STAGE = 2
"""``layer1`` is the papers' stage 2: SK_2_3 is the third block of ``layer1``."""


class ResNet(Backbone):
    """Bottleneck networks of one cardinality; stages 2 to 5 as the papers number them.

    The units stand in place of (or around) the 3x3 convolution of each block. The stem's max-pool goes
    for images of up to 64 pixels.

    Args:
        blocks: In each stage.
        groups: Cardinality G of the 3x3 convolutions, default 1.
        group_width: Their channels per group in the first stage, default 64; doubled in each stage.
    """

    widths = (1.0,)

    def __init__(self, blocks: Sequence[int], groups: int = 1, group_width: int = 64) -> None:
        self._blocks = list(blocks)
        self._groups = groups
        self._group_width = group_width

    def make(self, geometry: Geometry) -> nn.Module:  # noqa: D102
        model: nn.Module = TorchvisionResNet(
            Bottleneck,
            self._blocks,
            num_classes=geometry.num_classes,
            groups=self._groups,
            width_per_group=self._group_width,
        )
        adapt_stem(model, self.stem(), geometry)
        if geometry.input_size <= SMALL_INPUT:
            model.set_submodule("maxpool", nn.Identity())
        return model

    def stem(self) -> str:  # noqa: D102
        return "conv1"

    def classifier(self) -> str:  # noqa: D102
        return "fc"

    def places(self, model: nn.Module) -> list[Place]:  # noqa: D102
        return [
            Place(
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
            # torchvision always makes four stages; the smallest fourth one is made and dropped.
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


RESNETS: dict[str, ResNet] = {
    "resnet26": ResNet([2, 2, 2, 2]),
    "resnet50": ResNet([3, 4, 6, 3]),
    "resnet101": ResNet([3, 4, 23, 3]),
    "resnext26": ResNet([2, 2, 2, 2], groups=32, group_width=4),
    "resnext50": ResNet([3, 4, 6, 3], groups=32, group_width=4),
    "resnext50_36x4d": ResNet([3, 4, 6, 3], groups=36, group_width=4),
    "resnext56": ResNet([3, 4, 8, 3], groups=32, group_width=4),
    "resnext101": ResNet([3, 4, 23, 3], groups=32, group_width=4),
    "resnext29_16x32d": CifarResNet([3, 3, 3], groups=16, group_width=32),
    "resnext29_8x64d": CifarResNet([3, 3, 3], groups=8, group_width=64),
    "resnext29_16x64d": CifarResNet([3, 3, 3], groups=16, group_width=64),
}
