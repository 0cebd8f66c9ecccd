"""One look at a plain network: where units may stand in it, and what the rest of it costs."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from blocks.backbones import BACKBONES, Geometry
from blocks.backbones.base import Pair, depthwise_pairs
from blocks.counting import Counts, conv_bn


@dataclass(frozen=True)
class Site:
    """The shape of a place where a unit may stand: a depthwise convolution and its BatchNorm.

    Attributes:
        stage: Stage of the backbone, as ``unit.stages`` in an ArchSpec counts them.
        channels: Input and output channels.
        kernel: Taps along one side of the plain convolution.
        stride: Its stride.
        side: Side of its square output, in pixels.
    """

    stage: int
    channels: int
    kernel: int
    stride: int
    side: int

    @property
    def plain(self) -> Counts:
        """What the depthwise convolution and its BatchNorm cost."""
        return conv_bn(self.channels, 1, self.kernel, self.side)


@dataclass(frozen=True)
class Survey:
    """A plain network with its sites taken out.

    Attributes:
        pairs: Where each site lies in the module tree, in forward order.
        sites: The shape of each, in the same order.
        groups: Equal sites together: (stage, ((site, how many), ...)), stages ascending.
        rest: Counts of everything but the sites.
        channels: Stage -> channel counts of its sites, ascending.
        signature: Digest of every layer's shapes; two widths that round to one network share it.
    """

    pairs: tuple[Pair, ...]
    sites: tuple[Site, ...]
    groups: tuple[tuple[int, tuple[tuple[Site, int], ...]], ...]
    rest: Counts
    channels: dict[int, tuple[int, ...]]
    signature: str


@lru_cache(maxsize=256)
def survey(backbone: str, geometry: Geometry) -> Survey:
    """Build the plain network without memory (torch's meta device), run it once and take stock.

    A few tens of milliseconds for a new geometry, remembered afterwards: a search space has few
    geometries and very many units.

    Raises:
        InvalidInput: The backbone is unknown or has no network of this geometry.
    """
    family = BACKBONES[backbone]
    family.check(geometry)
    with torch.device("meta"):
        model = family.make(geometry).eval()
    layers = _shapes(model, geometry)
    pairs = [pair for pair in depthwise_pairs(model) if pair.path in layers]
    pairs.sort(key=lambda pair: list(layers).index(pair.path))
    convs = [model.get_submodule(pair.path) for pair in pairs]
    strides = [conv.stride[0] for conv in convs if isinstance(conv, nn.Conv2d)]
    sites = tuple(
        Site(stage, conv.in_channels, conv.kernel_size[0], stride, layers[pair.path].shape[-1])
        for pair, conv, stride, stage in zip(
            pairs, convs, strides, family.stages(pairs, strides), strict=True
        )
        if isinstance(conv, nn.Conv2d)
    )
    whole = sum((_layer(model.get_submodule(p), out) for p, out in layers.items()), Counts())
    params = sum(parameter.numel() for parameter in model.parameters())
    rest = Counts(params, whole.macs, whole.activations)
    for site in sites:
        rest = rest - site.plain
    stages = sorted({site.stage for site in sites})
    return Survey(
        pairs=tuple(pairs),
        sites=sites,
        groups=tuple(
            (stage, tuple(Counter(site for site in sites if site.stage == stage).items()))
            for stage in stages
        ),
        rest=rest,
        channels={s: tuple(sorted({x.channels for x in sites if x.stage == s})) for s in stages},
        signature=_signature(model, layers),
    )


def _shapes(model: nn.Module, geometry: Geometry) -> dict[str, Tensor]:
    """Output (on the meta device) of every convolution and linear layer, in forward order."""
    outputs: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda _module, _inputs, output, name=name: outputs.__setitem__(name, output)
            )
    side = geometry.input_size
    with torch.no_grad():
        model(torch.empty(1, geometry.in_channels, side, side, device="meta"))
    return outputs


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
