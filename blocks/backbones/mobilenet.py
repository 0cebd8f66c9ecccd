"""MobileNetV2 (Sandler et al., CVPR 2018) and MobileNetV3 (Howard et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torchvision.models import mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small

from blocks.backbones.base import (
    Backbone,
    Geometry,
    ModulePaths,
    adapt_stem,
    branch_ends,
    depthwise_pairs,
)


class MobileNet(Backbone):
    """Any width multiplier; stages 1 to 5 by resolution (V3 small has no stage 1).

    In the published 224-pixel networks stage s works at 1/2**s of the input's side.

    Args:
        make:
            torchvision's builder; takes ``weights``, ``width_mult`` and ``num_classes``.
        classifier:
            Path of its last linear layer.
        branch:
            Name of the residual branch in a block.
    """

    def __init__(self, make: Callable[..., nn.Module], classifier: str, branch: str) -> None:
        self._make = make
        self._classifier = classifier
        self._branch = branch

    def make(self, geometry: Geometry) -> nn.Module:  # noqa: D102
        model = self._make(
            weights=None, width_mult=geometry.width, num_classes=geometry.num_classes
        )
        adapt_stem(model, self.stem(), geometry)
        return model

    def stem(self) -> str:  # noqa: D102
        return "features.0.0"

    def classifier(self) -> str:  # noqa: D102
        return self._classifier

    def module_paths(self, model: nn.Module) -> list[ModulePaths]:  # noqa: D102
        module_paths: list[ModulePaths] = []
        stage = 1
        for name, block in model.get_submodule("features").named_children():
            branch = getattr(block, self._branch, None)
            if not isinstance(branch, nn.Sequential):
                continue
            path = f"features.{name}"
            ((conv, norm),) = depthwise_pairs(branch, f"{path}.{self._branch}")
            layer = model.get_submodule(conv)
            assert isinstance(layer, nn.Conv2d)
            stage += layer.stride[0] == 2
            index = sum(paths.stage == stage for paths in module_paths)
            ends = branch_ends(branch, f"{path}.{self._branch}")
            module_paths.append(ModulePaths(stage, index, conv, norm, path, *ends))
        return module_paths


BACKBONES: dict[str, MobileNet] = {
    "mobilenet_v2": MobileNet(mobilenet_v2, classifier="classifier.1", branch="conv"),
    "mobilenet_v3_small": MobileNet(mobilenet_v3_small, classifier="classifier.3", branch="block"),
    "mobilenet_v3_large": MobileNet(mobilenet_v3_large, classifier="classifier.3", branch="block"),
}
