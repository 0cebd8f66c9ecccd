"""The profile of a plain network: where units may stand in it, and what the rest of it costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from blocks.backbones.base import Geometry, ModulePaths
from blocks.counting import Counts, conv_bn


@dataclass(frozen=True)
class Shape:
    """Channels and side in pixels of a square feature map."""

    channels: int
    side: int


@dataclass(frozen=True)
class InsertionPoint:
    """The shapes at an insertion point: a convolution with its BatchNorm, and its block.

    Attributes:
        stage: Stage of the backbone, as ``unit.stages`` in an ArchSpec counts them.
        channels: Input and output channels of the convolution.
        group_width: Its channels per group; 1 is depthwise.
        kernel: Taps along one side.
        stride: Its stride.
        side: Side of its square output, in pixels.
        trimmed: Pixels of padding that it leaves out on each side, since a layer before it pads.
        on_shortcut: Whether it lies on a block's shortcut; then all of the following are None.
        pre: Input of the residual branch.
        standard: Output of the residual branch.
        post: Output of the block.
        identity: The map on the shortcut; None as well if no module can be put there.
    """

    stage: int
    channels: int
    group_width: int
    kernel: int
    stride: int
    side: int
    trimmed: int = 0
    on_shortcut: bool = False
    pre: Shape | None = None
    standard: Shape | None = None
    post: Shape | None = None
    identity: Shape | None = None

    @property
    def conv(self) -> Shape:
        """Output of the spatial convolution."""
        return Shape(self.channels, self.side)

    @property
    def plain(self) -> Counts:
        """The cost of the convolution and its BatchNorm."""
        return conv_bn(self.channels, self.group_width, self.kernel, self.side)


@dataclass(frozen=True)
class Stage:
    """The insertion points of one stage.

    Attributes:
        number: Its number, as in ``unit.stages`` of an ArchSpec.
        depth: Number of its blocks.
        groups: (point, numbers of the blocks that have it) for each different insertion point.
    """

    number: int
    depth: int
    groups: tuple[tuple[InsertionPoint, tuple[int, ...]], ...]


@dataclass(frozen=True)
class BackboneProfile:
    """The insertion points of a plain network, and the cost of the rest.

    Attributes:
        module_paths: Where each point lies in the module tree, in forward order.
        insertion_points: The shapes of each, in the same order.
        stages: The insertion_points by stage, ascending.
        rest: Counts of everything but the insertion_points' convolutions and BatchNorms.
        channels: Stage -> channel counts of its convolutions, ascending.
        signature: Digest of every layer's shapes; two widths that round to one network share it.
    """

    module_paths: tuple[ModulePaths, ...]
    insertion_points: tuple[InsertionPoint, ...]
    stages: tuple[Stage, ...]
    rest: Counts
    channels: dict[int, tuple[int, ...]]
    signature: str

    def depth(self, stage: int) -> int:
        """Number of blocks in ``stage``."""
        return next(one.depth for one in self.stages if one.number == stage)


@lru_cache(maxsize=256)
def profile(backbone: str, geometry: Geometry) -> BackboneProfile:
    """Build the plain network on torch's meta device, without memory, run it once and profile it.

    A new geometry takes a few tens of milliseconds. The result is kept: a search space has few
    geometries and very many units.

    Raises:
        InvalidInput: The backbone is unknown or has no network of this geometry.
    """
    from blocks.profiling import run_profile  # here, for it needs torch

    return run_profile(backbone, geometry)
