"""What every backbone is: a plain torchvision network and the places where a unit may stand in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from blocks.errors import InvalidInput

SMALL_INPUT = 64
"""Side in pixels up to which an image is small: ShuffleNetV2 then drops its max-pool."""


@dataclass(frozen=True)
class Geometry:
    """The figures a plain network is made from; sides in pixels."""

    width: float
    num_classes: int
    in_channels: int
    input_size: int
    stem_stride: int


@dataclass(frozen=True)
class Pair:
    """A depthwise convolution and its BatchNorm, next to each other in an ``nn.Sequential``.

    Attributes:
        parent: Path of the Sequential in the network.
        conv: Name of the convolution in the Sequential.
        norm: Name of the BatchNorm in the Sequential.
    """

    parent: str
    conv: str
    norm: str

    @property
    def path(self) -> str:
        """Path of the convolution in the network."""
        return f"{self.parent}.{self.conv}"


class Backbone(ABC):
    """One family of networks, built on torchvision's own classes."""

    widths: tuple[float, ...] | None = None
    """The widths that exist; None: any."""

    def check(self, geometry: Geometry) -> None:
        """Raise InvalidInput when the family has no network of this geometry."""
        if self.widths is not None and geometry.width not in self.widths:
            allowed = ", ".join(f"{width:g}" for width in self.widths)
            raise InvalidInput(f"width: {geometry.width:g} does not exist here; allowed: {allowed}")

    @abstractmethod
    def make(self, geometry: Geometry) -> nn.Module:
        """Build the plain network, freshly initialised, with torchvision's module names."""

    @abstractmethod
    def stem(self) -> str:
        """Path of the first convolution, the one that sees the image."""

    @abstractmethod
    def classifier(self) -> str:
        """Path of the last linear layer, the one that names the classes."""

    def stages(self, pairs: list[Pair], strides: list[int]) -> list[int]:
        """Stage of each pair, in forward order.

        By default the number of halvings of the resolution after the stem, plus one: in the published
        224-pixel networks stage s works at 1/2**s of the input's side.
        """
        stage, result = 1, []
        for stride in strides:
            stage += stride == 2
            result.append(stage)
        return result


def depthwise_pairs(model: nn.Module) -> Iterator[Pair]:
    """Find every depthwise convolution larger than 1x1 that is followed by its BatchNorm."""
    for path, module in model.named_modules():
        if not isinstance(module, nn.Sequential):
            continue
        children = list(module.named_children())
        for (conv_name, conv), (norm_name, norm) in pairwise(children):
            if (
                isinstance(conv, nn.Conv2d)
                and conv.groups == conv.in_channels > 1
                and conv.kernel_size != (1, 1)
                and isinstance(norm, nn.BatchNorm2d)
            ):
                yield Pair(path, conv_name, norm_name)


def adapt_stem(stem: nn.Sequential, geometry: Geometry) -> None:
    """Give the first convolution of ``stem`` the image's channels and the wanted stride.

    The layer is only replaced when its weight has to change shape, so that a network for colour images
    keeps torchvision's initialisation draw for draw.
    """
    conv = stem[0]
    assert isinstance(conv, nn.Conv2d)
    if geometry.in_channels != conv.in_channels:
        replacement = nn.Conv2d(
            geometry.in_channels,
            conv.out_channels,
            kernel_size=3,
            padding=1,
            bias=conv.bias is not None,
        )
        stem[0] = conv = replacement
    conv.stride = (geometry.stem_stride, geometry.stem_stride)
