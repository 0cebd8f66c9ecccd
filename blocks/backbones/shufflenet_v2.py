"""ShuffleNetV2 (Ma et al., ECCV 2018, Table 5), the backbone of SKNet's Table 4."""

from __future__ import annotations

from torch import nn
from torchvision.models.shufflenetv2 import ShuffleNetV2 as TorchvisionShuffleNetV2

from blocks.backbones.base import (
    SMALL_INPUT,
    Backbone,
    Geometry,
    ModulePaths,
    adapt_stem,
    branch_ends,
    depthwise_pairs,
)

REPEATS = [4, 8, 4]
CHANNELS = {
    0.25: [24, 24, 48, 96, 512],  # not in the paper; for small devices
    0.5: [24, 48, 96, 192, 1024],
    1.0: [24, 116, 232, 464, 1024],
    1.5: [24, 176, 352, 704, 1024],
    2.0: [24, 244, 488, 976, 2048],
}


class ShuffleNetV2(Backbone):
    """Stages 2, 3 and 4 as the paper numbers them; the stem has no max-pool for small images."""

    widths = tuple(CHANNELS)

    def make(self, geometry: Geometry) -> nn.Module:  # noqa: D102
        channels = CHANNELS[geometry.width]
        model: nn.Module = TorchvisionShuffleNetV2(REPEATS, channels, geometry.num_classes)
        adapt_stem(model, self.stem(), geometry)
        if geometry.input_size <= SMALL_INPUT:
            model.set_submodule("maxpool", nn.Identity())
        return model

    def stem(self) -> str:  # noqa: D102
        return "conv1.0"

    def classifier(self) -> str:  # noqa: D102
        return "fc"

    def module_paths(self, model: nn.Module) -> list[ModulePaths]:
        """The depthwise convolutions of both branches; ``branch1`` is the shortcut of stride-2 units."""
        module_paths: list[ModulePaths] = []
        for stage in (2, 3, 4):
            for name, block in model.get_submodule(f"stage{stage}").named_children():
                path = f"stage{stage}.{name}"
                shortcut, branch = block.get_submodule("branch1"), block.get_submodule("branch2")
                assert isinstance(branch, nn.Sequential)
                for conv, norm in depthwise_pairs(shortcut, f"{path}.branch1"):
                    module_paths.append(ModulePaths(stage, int(name), conv, norm))
                ((conv, norm),) = depthwise_pairs(branch, f"{path}.branch2")
                ends = branch_ends(branch, f"{path}.branch2")
                module_paths.append(ModulePaths(stage, int(name), conv, norm, path, *ends))
        return module_paths


BACKBONES: dict[str, ShuffleNetV2] = {"shufflenet_v2": ShuffleNetV2()}
