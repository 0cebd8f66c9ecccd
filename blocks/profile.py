"""The profile of a plain network: its insertion points, and the cost of the rest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from blocks.backbones import BACKBONES, Geometry
from blocks.backbones.base import Backbone, ModulePaths
from blocks.counting import Counts, conv_bn
from blocks.errors import InvalidInput


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
        module_paths: The module paths of each insertion point, in forward order.
        insertion_points: The shapes of each insertion point, in the same order.
        stages: The insertion points by stage, ascending.
        rest: Counts of everything but the convolutions and BatchNorms of the insertion points.
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
    family = BACKBONES[backbone]
    family.check(geometry)
    with torch.device("meta"):
        model = family.make(geometry).eval()
    passed = _run(model, geometry)
    module_paths = _module_paths(family, model, backbone)
    insertion_points = tuple(_insertion_point(model, paths, passed) for paths in module_paths)
    layers = {
        path: output
        for path, (_, output) in passed.items()
        if isinstance(model.get_submodule(path), nn.Conv2d | nn.Linear)
    }
    whole = sum((_layer(model.get_submodule(p), out) for p, out in layers.items()), Counts())
    params = sum(parameter.numel() for parameter in model.parameters())
    rest = Counts(params, whole.macs, whole.activations)
    for point in insertion_points:
        rest = rest - point.plain
    numbers = sorted({point.stage for point in insertion_points})
    return BackboneProfile(
        module_paths=module_paths,
        insertion_points=insertion_points,
        stages=tuple(_stage(number, module_paths, insertion_points) for number in numbers),
        rest=rest,
        channels={
            s: tuple(sorted({x.channels for x in insertion_points if x.stage == s}))
            for s in numbers
        },
        signature=_signature(model, layers),
    )


def _module_paths(family: Backbone, model: nn.Module, backbone: str) -> tuple[ModulePaths, ...]:
    """The paths of every insertion point; each is checked against the modules of ``model``."""
    module_paths = tuple(family.module_paths(model))
    modules = dict(model.named_modules())
    for paths in module_paths:
        if not isinstance(modules.get(paths.conv), nn.Conv2d):
            found = type(modules.get(paths.conv)).__name__
            raise InvalidInput(f"backbone {backbone}: {paths}: conv is no Conv2d but {found}")
        for path in (paths.norm, paths.block, paths.entry, paths.exit, paths.exit_norm):
            if path and path not in modules:
                raise InvalidInput(f"backbone {backbone}: {paths}: there is no module {path}")
    return module_paths


def _run(model: nn.Module, geometry: Geometry) -> dict[str, tuple[Tensor, Tensor]]:
    """(Input, output) of every module on the meta device, in the order in which the modules end."""
    passed: dict[str, tuple[Tensor, Tensor]] = {}
    for name, module in model.named_modules():
        module.register_forward_hook(
            lambda _module, inputs, output, name=name: passed.__setitem__(
                name, (inputs[0].detach(), output.detach())
            )
        )
    side = geometry.input_size
    with torch.no_grad():
        model(torch.empty(1, geometry.in_channels, side, side, device="meta"))
    return passed


def _insertion_point(
    model: nn.Module, paths: ModulePaths, passed: dict[str, tuple[Tensor, Tensor]]
) -> InsertionPoint:
    conv = model.get_submodule(paths.conv)
    assert isinstance(conv, nn.Conv2d)
    figures = (
        paths.stage,
        conv.in_channels,
        conv.in_channels // conv.groups,
        conv.kernel_size[0],
        conv.stride[0],
        passed[paths.conv][1].shape[-1],
    )
    if paths.block is None:
        return InsertionPoint(*figures, on_shortcut=True)
    before, after = passed[paths.block]
    bare = paths.shortcut is not None and paths.shortcut not in passed
    return InsertionPoint(
        *figures,
        pre=_shape(passed[paths.entry][0]),
        standard=_shape(passed[paths.exit][1]),
        post=_shape(after),
        identity=None if paths.shortcut is None else _shape(before if bare else after),
    )


def _shape(maps: Tensor) -> Shape:
    return Shape(maps.shape[1], maps.shape[-1])


def _stage(
    number: int, module_paths: tuple[ModulePaths, ...], insertion_points: tuple[InsertionPoint, ...]
) -> Stage:
    groups: dict[InsertionPoint, list[int]] = {}
    for paths, point in zip(module_paths, insertion_points, strict=True):
        if point.stage == number:
            groups.setdefault(point, []).append(paths.index)
    depth = 1 + max(index for indices in groups.values() for index in indices)
    return Stage(number, depth, tuple((point, tuple(found)) for point, found in groups.items()))


def _signature(model: nn.Module, layers: dict[str, Tensor]) -> str:
    shapes = [
        (path, list(model.get_parameter(f"{path}.weight").shape), list(output.shape))
        for path, output in layers.items()
    ]
    return hashlib.sha256(json.dumps(shapes).encode()).hexdigest()[:16]


def _layer(module: nn.Module, output: Tensor) -> Counts:
    """Multiply-adds and activations of one layer with this output."""
    if isinstance(module, nn.Conv2d):
        taps = module.kernel_size[0] * module.kernel_size[1]
        macs = output.numel() * taps * (module.in_channels // module.groups)
    else:
        assert isinstance(module, nn.Linear)
        macs = output.numel() * module.in_features
    return Counts(0, macs, output.numel())
