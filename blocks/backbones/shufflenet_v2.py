"""ShuffleNetV2 (Ma et al., ECCV 2018, Table 5), the backbone of SKNet's Table 4."""

from __future__ import annotations

from torch import nn
from torchvision.models.shufflenetv2 import ShuffleNetV2 as TorchvisionShuffleNetV2

from blocks.backbones.base import SMALL_INPUT, Backbone, Geometry, Pair, adapt_stem

REPEATS = [4, 8, 4]
CHANNELS = {
    0.5: [24, 48, 96, 192, 1024],
    1.0: [24, 116, 232, 464, 1024],
    1.5: [24, 176, 352, 704, 1024],
    2.0: [24, 244, 488, 976, 2048],
}


class ShuffleNetV2(Backbone):
    """Stages 2, 3 and 4 as the paper numbers them; the stem's max-pool goes for small images."""

    widths = tuple(CHANNELS)

    def make(self, geometry: Geometry) -> nn.Module:  # noqa: D102
        channels = CHANNELS[geometry.width]
        model: nn.Module = TorchvisionShuffleNetV2(REPEATS, channels, geometry.num_classes)
        stem = model.get_submodule("conv1")
        assert isinstance(stem, nn.Sequential)
        adapt_stem(stem, geometry)
        if geometry.input_size <= SMALL_INPUT:
            model.set_submodule("maxpool", nn.Identity())
        return model

    def stem(self) -> str:  # noqa: D102
        return "conv1.0"

    def classifier(self) -> str:  # noqa: D102
        return "fc"

    def stages(self, pairs: list[Pair], strides: list[int]) -> list[int]:
        """The digit in torchvision's own names: ``stage2`` to ``stage4``."""
        return [int(pair.parent.split(".")[0].removeprefix("stage")) for pair in pairs]
