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
    """The shapes at a place where a unit may stand: a convolution with its BatchNorm, and its block.

    Attributes:
        stage: Stage of the backbone, as ``unit.stages`` in an ArchSpec counts them.
        channels: Input and output channels of the convolution.
        group_width: Its channels per group; 1 is depthwise.
        kernel: Taps along one side.
        stride: Its stride.
        side: Side of its square output, in pixels.
        on_shortcut: Whether it lies on a block's shortcut; then all of the following are None.
        pre: What the residual branch reads.
        standard: What it ends with.
        post: What the block ends with.
        identity: What the shortcut carries; None as well where no module can be put there.
    """

    stage: int
    channels: int
    group_width: int
    kernel: int
    stride: int
    side: int
    on_shortcut: bool = False
    pre: Shape | None = None
    standard: Shape | None = None
    post: Shape | None = None
    identity: Shape | None = None

    @property
    def conv(self) -> Shape:
        """What the spatial convolution writes."""
        return Shape(self.channels, self.side)

    @property
    def plain(self) -> Counts:
        """What the convolution and its BatchNorm cost."""
        return conv_bn(self.channels, self.group_width, self.kernel, self.side)


@dataclass(frozen=True)
class Stage:
    """The insertion_points of one stage.

    Attributes:
        number: As ``unit.stages`` in an ArchSpec counts.
        depth: Number of its blocks.
        groups: Equal insertion_points together: (point, numbers of their blocks).
    """

    number: int
    depth: int
    groups: tuple[tuple[InsertionPoint, tuple[int, ...]], ...]


@dataclass(frozen=True)
class BackboneProfile:
    """A plain network with its insertion_points taken out.

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
    """Build the plain network without memory (torch's meta device), run it once and take stock.

    A few tens of milliseconds for a new geometry, remembered afterwards: a search space has few
    geometries and very many units.

    Raises:
        InvalidInput: The backbone is unknown or has no network of this geometry.
    """
    from blocks.profiling import run_profile  # here, for it needs torch

    return run_profile(backbone, geometry)
