"""Hypothesis strategies for units and networks, shared by the tests of this folder."""

from __future__ import annotations

from hypothesis import strategies as st

from blocks import BACKBONES, UNITS, ArchSpec, UnitOverride, UnitSpec
from blocks.backbones import Geometry
from blocks.survey import survey

WIDTHS = {
    "shufflenet_v2": (0.5, 1.0),
    "mobilenet_v2": (0.35, 1.0),
    "mobilenet_v3_small": (0.5, 1.0),
    "mobilenet_v3_large": (0.5, 1.0),
}

dilations = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
kernels = st.sampled_from(["dilated", "real"])
kinds = st.sampled_from(list(UNITS))


def overrides() -> st.SearchStrategy[UnitOverride]:
    return st.builds(
        UnitOverride,
        kind=st.none() | kinds,
        dilations=st.none() | dilations,
        kernel=st.none() | kernels,
        group_width=st.none() | st.sampled_from([1, 2]),
        reduction=st.none() | st.sampled_from([2, 16]),
        min_dim=st.none() | st.sampled_from([4, 32]),
        branch_act=st.none() | st.booleans(),
    )


@st.composite
def arch_specs(draw: st.DrawFn) -> ArchSpec:
    """Any backbone, small images, any unit, any overrides of its stages."""
    backbone = draw(st.sampled_from(list(BACKBONES)))
    figures = Geometry(
        width=draw(st.sampled_from(WIDTHS[backbone])),
        num_classes=draw(st.sampled_from([2, 10])),
        in_channels=draw(st.sampled_from([1, 3])),
        input_size=draw(st.sampled_from([15, 32, 65])),
        stem_stride=draw(st.sampled_from([1, 2])),
    )
    stages = list(survey(backbone, figures).channels)
    unit = UnitSpec(
        kind=draw(kinds),
        dilations=draw(dilations),
        kernel=draw(kernels),
        group_width=draw(st.sampled_from([1, 2])),
        reduction=draw(st.sampled_from([2, 16])),
        min_dim=draw(st.sampled_from([4, 32])),
        branch_act=draw(st.booleans()),
        stages=tuple(
            draw(st.dictionaries(st.sampled_from(stages), overrides(), max_size=2)).items()
        ),
    )
    return ArchSpec(backbone=backbone, **vars(figures), unit=unit)
