"""How the profile of a plain network is taken: it is built and run once on torch's meta device."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import Tensor, nn

from blocks.backbones import BACKBONES
from blocks.backbones.base import Backbone, Geometry, ModulePaths
from blocks.counting import Counts
from blocks.errors import InvalidInput
from blocks.profile import BackboneProfile, InsertionPoint, Shape, Stage


def run_profile(backbone: str, geometry: Geometry) -> BackboneProfile:
    """The profile, computed anew; ``blocks.profile.profile`` remembers it.

    Raises:
        InvalidInput: The backbone is unknown or has no network of this geometry.
    """
    family = BACKBONES[backbone]
    model, passed = run_on_meta(family, geometry)
    module_paths = _module_paths_of(family, model, backbone)
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


def _module_paths_of(family: Backbone, model: nn.Module, backbone: str) -> tuple[ModulePaths, ...]:
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


def run_on_meta(
    family: Backbone, geometry: Geometry
) -> tuple[nn.Module, dict[str, tuple[Tensor, Tensor]]]:
    """Build a plain network without memory, on torch's meta device, and run it once.

    Returns:
        The network, and (input, output) of every module that ran, in the order they ended.

    Raises:
        InvalidInput: There is no network of this geometry.
    """
    family.check(geometry)
    with torch.device("meta"):
        model = family.make(geometry).eval()
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
    return model, passed


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
        _trimmed(conv),
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


def _trimmed(conv: nn.Conv2d) -> int:
    """Pixels of padding on each side that the convolution lacks to keep the size of its input."""
    if isinstance(conv.padding, str):
        return 0
    return conv.dilation[0] * (conv.kernel_size[0] // 2) - conv.padding[0]


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
    """Multiply-adds and activations of one layer for the output it gave."""
    if isinstance(module, nn.Conv2d):
        taps = module.kernel_size[0] * module.kernel_size[1]
        macs = output.numel() * taps * (module.in_channels // module.groups)
    else:
        assert isinstance(module, nn.Linear)
        macs = output.numel() * module.in_features
    return Counts(0, macs, output.numel())
