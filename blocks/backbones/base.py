"""The interface of backbones: a plain torchvision network and its insertion points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from blocks.errors import InvalidInput

if TYPE_CHECKING:  # the functions import it themselves: a stored network is read without torch
    from torch import Tensor, nn

SMALL_INPUT = 64
"""Largest side in pixels of a small image, for which ShuffleNetV2 and ResNet drop their max-pool."""


@dataclass(frozen=True)
class Geometry:
    """The figures that determine a plain network; sides in pixels."""

    width: float
    num_classes: int
    in_channels: int
    input_size: int
    stem_stride: int


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per channel that images were normalised with, for pixels in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def seen_from(self, other: Normalisation) -> tuple[Tensor, Tensor]:
        """Scale and offset, (C,): images ``x`` in ``other`` are ``scale * (x - offset)`` in this one.

        One of the two may have a single figure for all channels.
        """
        import torch

        mean, std = torch.tensor(other.mean), torch.tensor(other.std)
        own_mean, own_std = torch.tensor(self.mean), torch.tensor(self.std)
        return std / own_std, (own_mean - mean) / std

    def of_channels(self, channels: int) -> Normalisation:
        """The same for so many channels; other numbers of them get the average."""
        if len(self.mean) == channels:
            return self
        mean, std = (sum(figures) / len(figures) for figures in (self.mean, self.std))
        return Normalisation((mean,) * channels, (std,) * channels)


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""As torchvision's weights and image folders have it."""


@dataclass(frozen=True)
class ModulePaths:
    """The module paths of one insertion point: a spatial convolution and the block around it.

    Attributes:
        stage: Stage of the network, as ``unit.stages`` in an ArchSpec counts them.
        index: Number of the block in its stage, from 0.
        conv: The spatial convolution.
        norm: Its BatchNorm.
        block: The block, whose output other blocks read; None for a convolution on a block's shortcut,
            where a unit can only replace the convolution.
        entry: First module of the branch that the convolution is on.
        exit: Last module of that branch, before the addition or concatenation.
        exit_norm: Last BatchNorm of the branch; only ReLUs lie between it and the exit.
        shortcut: The module on the shortcut, or the path where one can be put; None if neither exists.
    """

    stage: int
    index: int
    conv: str
    norm: str
    block: str | None = None
    entry: str = ""
    exit: str = ""
    exit_norm: str = ""
    shortcut: str | None = None


class Backbone(ABC):
    """One family of networks, built from torchvision's classes."""

    widths: tuple[float, ...] | None = None
    """The possible width multipliers; None: any."""

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
        """Path of the first convolution, which reads the image."""

    @abstractmethod
    def classifier(self) -> str:
        """Path of the last linear layer, which computes the logits."""

    def convert(
        self, state: Mapping[str, Tensor], normalisation: Normalisation
    ) -> dict[str, Tensor]:
        """The weights of the plain network from a file of a known foreign layout, by our names.

        Args:
            state: The tensors of the file. Default: they have our names.
            normalisation: Of the images that the network will see. Weights for another normalisation are
                changed so that the network computes the same of the same pixels.
        """
        return dict(state)

    def spread_stem(self, state: dict[str, Tensor], channels: int) -> None:
        """Change weights, in place, to images of so many channels.

        The kernels of the first convolution are summed over the channels and spread evenly.
        """
        name = f"{self.stem()}.weight"
        if name in state and state[name].ndim == 4 and state[name].shape[1] != channels:
            state[name] = (state[name].sum(1, keepdim=True) / channels).expand(-1, channels, -1, -1)

    @abstractmethod
    def module_paths(self, model: nn.Module) -> list[ModulePaths]:
        """The paths of every insertion point of ``model``, in forward order."""


def depthwise_pairs(block: nn.Module, path: str) -> Iterator[tuple[str, str]]:
    """Paths of every depthwise convolution larger than 1x1 in ``block`` and of the BatchNorm after it.

    Args:
        block: A part of a network.
        path: Its path there, the prefix of the results.
    """
    from torch import nn

    for name, module in block.named_modules(prefix=path):
        if not isinstance(module, nn.Sequential):
            continue
        for (conv_name, conv), (norm_name, norm) in pairwise(module.named_children()):
            if (
                isinstance(conv, nn.Conv2d)
                and conv.groups == conv.in_channels > 1
                and conv.kernel_size != (1, 1)
                and isinstance(norm, nn.BatchNorm2d)
            ):
                yield f"{name}.{conv_name}", f"{name}.{norm_name}"


def branch_ends(branch: nn.Sequential, path: str) -> tuple[str, str, str]:
    """Paths of the first module, the last module and the last BatchNorm of a branch."""
    from torch import nn

    names = [name for name, _ in branch.named_children()]
    norms = [n for n, m in branch.named_modules(prefix=path) if isinstance(m, nn.BatchNorm2d)]
    return f"{path}.{names[0]}", f"{path}.{names[-1]}", norms[-1]


def adapt_stem(model: nn.Module, path: str, geometry: Geometry) -> None:
    """Give the first convolution, at ``path``, the image's channels and the wanted stride.

    The layer is replaced only if the shape of its weight changes. A network for colour images thus keeps
    exactly torchvision's initialisation.
    """
    from torch import nn

    conv = model.get_submodule(path)
    assert isinstance(conv, nn.Conv2d)
    if geometry.in_channels != conv.in_channels:
        conv = nn.Conv2d(
            geometry.in_channels,
            conv.out_channels,
            kernel_size=conv.kernel_size[0],
            padding=conv.kernel_size[0] // 2,
            bias=conv.bias is not None,
        )
        model.set_submodule(path, conv)
    conv.stride = (geometry.stem_stride, geometry.stem_stride)
