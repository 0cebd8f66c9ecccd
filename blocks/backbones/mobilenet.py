"""MobileNetV2 (Sandler et al., CVPR 2018) and MobileNetV3 (Howard et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torchvision.models import mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small

from blocks.backbones.base import Backbone, Geometry, adapt_stem


class MobileNet(Backbone):
    """Any width multiplier; stages 1 to 5 by resolution (V3 small has no stage 1).

    Args:
        make:
            torchvision's builder; takes ``weights``, ``width_mult`` and ``num_classes``.
        classifier:
            Path of its last linear layer.
    """

    def __init__(self, make: Callable[..., nn.Module], classifier: str) -> None:
        self._make = make
        self._classifier = classifier

    def make(self, geometry: Geometry) -> nn.Module:  # noqa: D102
        model = self._make(
            weights=None, width_mult=geometry.width, num_classes=geometry.num_classes
        )
        features = model.get_submodule("features")
        assert isinstance(features, nn.Sequential)
        stem = features[0]
        assert isinstance(stem, nn.Sequential)
        adapt_stem(stem, geometry)
        return model

    def stem(self) -> str:  # noqa: D102
        return "features.0.0"

    def classifier(self) -> str:  # noqa: D102
        return self._classifier


MOBILENET_V2 = MobileNet(mobilenet_v2, classifier="classifier.1")
MOBILENET_V3_SMALL = MobileNet(mobilenet_v3_small, classifier="classifier.3")
MOBILENET_V3_LARGE = MobileNet(mobilenet_v3_large, classifier="classifier.3")
