"""What tests of this folder share: strategies for units and networks, networks without numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from blocks import ArchSpec, UnitOverride, UnitSpec, build
from blocks.backbones import Geometry
from blocks.profile import profile
from blocks.unit_spec import Kernel, Placement, Pool, Select

WIDTHS = {
    "shufflenet_v2": (0.5, 1.0),
    "mobilenet_v2": (0.35, 1.0),
    "mobilenet_v3_small": (0.5, 1.0),
    "mobilenet_v3_large": (0.5, 1.0),
    "efficientnet_lite0": (0.35, 1.0),
    "resnet26": (1.0,),
    "resnext26": (1.0,),
    "resnext29_16x32d": (1.0,),
}
MOBILE = (
    "shufflenet_v2", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
    "efficientnet_lite0",
)  # fmt: skip
RESNETS = ("resnet26", "resnext26", "resnext29_16x32d")
CHEAP = (*MOBILE, *RESNETS)
"""One of each kind of block, and none that takes seconds to build."""

PLACEMENTS: list[Placement] = ["conv", "standard", "pre", "post"]

dilations = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
kernels: st.SearchStrategy[Kernel] = st.sampled_from(["dilated", "real", "plain"])
kinds = st.sampled_from(["none", "se", "sk"])
groups = st.sampled_from([(), (1,), (2,)])
selects: st.SearchStrategy[Select] = st.sampled_from(["full", "reduced", "sum"])
pools: st.SearchStrategy[Pool | None] = st.sampled_from([None, "avg", "max", "none"])


def dilations_in(backbone: str) -> st.SearchStrategy[tuple[int, ...]]:
    """EfficientNet-Lite0, which pads unevenly, has no 1x1 kernels with a stride."""
    return dilations.filter(lambda shape: 0 not in shape or backbone != "efficientnet_lite0")


def placements(backbone: str) -> st.SearchStrategy[Placement | None]:
    """What a unit on a feature map may be asked for; MobileNets' shortcuts are bare."""
    own: list[Placement] = ["identity"] if backbone in RESNETS else []
    return st.sampled_from([None, *PLACEMENTS, *own])


def blocks(depth: int) -> st.SearchStrategy[tuple[int, ...]]:
    """No restriction, or some blocks of a stage, from either end."""
    return st.just(()) | st.lists(st.integers(-depth, depth - 1), max_size=3).map(tuple)


@st.composite
def overrides(draw: st.DrawFn, backbone: str, depth: int, unit: UnitSpec) -> UnitOverride:
    """What one stage may set differently from ``unit``."""
    drawn = draw(
        st.builds(
            UnitOverride,
            kind=st.none() | kinds,
            dilations=st.none() | dilations_in(backbone),
            kernel=st.none() | kernels,
            group_width=st.none() | st.sampled_from([1, 2]),
            reduction=st.none() | st.sampled_from([2, 16]),
            min_dim=st.none() | st.sampled_from([4, 32]),
            branch_act=st.none() | st.booleans(),
            groups=st.none() | groups,
            select=st.none() | selects,
            shortcut=st.none() | st.booleans(),
            blocks=st.none() | blocks(depth),
            placement=placements(backbone),
            pool=pools,
        )
    )
    changes: dict[str, Any] = {}
    shape = drawn.dilations or unit.dilations
    if 0 in shape:
        changes["kernel"] = "real"
    if drawn.groups is None and len(unit.groups) not in (0, 1, len(shape)):
        changes["groups"] = (2,)
    return drawn.model_copy(update=changes)


@st.composite
def arch_specs(draw: st.DrawFn, backbones: Sequence[str] = CHEAP) -> ArchSpec:
    """Any kind of backbone, small images, none, se or sk, any overrides of its stages."""
    backbone = draw(st.sampled_from(backbones))
    figures = Geometry(
        width=draw(st.sampled_from(WIDTHS[backbone])),
        num_classes=draw(st.sampled_from([2, 10])),
        in_channels=draw(st.sampled_from([1, 3])),
        input_size=draw(st.sampled_from([15, 32, 65] if backbone in MOBILE else [15, 32])),
        stem_stride=draw(st.sampled_from([1, 2])),
    )
    stages = profile(backbone, figures).stages
    shape = draw(dilations_in(backbone))
    each = st.lists(st.sampled_from([1, 2]), min_size=len(shape), max_size=len(shape)).map(tuple)
    unit = UnitSpec(
        kind=draw(kinds),
        dilations=shape,
        kernel="real" if 0 in shape else draw(kernels),
        group_width=draw(st.sampled_from([1, 2])),
        reduction=draw(st.sampled_from([2, 16])),
        min_dim=draw(st.sampled_from([4, 32])),
        branch_act=draw(st.booleans()),
        groups=draw(groups | each),
        select=draw(selects),
        shortcut=draw(st.booleans()),
        blocks=draw(blocks(min(stage.depth for stage in stages))),
        placement=draw(placements(backbone)),
        pool=draw(pools),
    )
    own = {
        stage.number: draw(overrides(backbone, stage.depth, unit))
        for stage in draw(st.lists(st.sampled_from(stages), max_size=2, unique=True))
    }
    return ArchSpec(
        backbone=backbone,
        **vars(figures),
        unit=unit.model_copy(update={"stages": tuple(sorted(own.items()))}),
    )


def skeleton(spec: ArchSpec) -> nn.Module:
    """The network of ``spec`` without its numbers: on the meta device, and no time spent on drawing."""

    def stays(weight: Tensor, *_: object, **__: object) -> Tensor:
        return weight

    with (
        torch.device("meta"),
        patch.object(Tensor, "normal_", stays),
        patch.object(Tensor, "uniform_", stays),
    ):
        return build(spec)
