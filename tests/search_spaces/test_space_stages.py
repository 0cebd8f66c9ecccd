"""Spaces whose stages have units of their own."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import ArchSpec, UnitOverride, UnitSpec
from search_spaces import load_space
from search_spaces.assignments import independent, walk
from tests.search_spaces.space_helpers import SMALL, space_of

STAGED = ("efficientnet_lite0_sk_stages", "mobilenet_v3_sk_stages", "shufflenet_v2_sk_stages")
TWO_STAGES = """
name: two stages
fixed: {backbone: shufflenet_v2, width: 0.5, unit.kind: none}
vary:
  stem_stride: {choice: [1, 2]}
  unit.stages.2.kind: {choice: [none, se, sk]}
  unit.stages.2.reduction: {choice: [4, 16], when: {unit.stages.2.kind: se}}
  unit.stages.2.dilations: {choice: [[1], [1, 2], [1, 3]], when: {unit.stages.2.kind: sk}}
  unit.stages.4.kind: {choice: [none, sk], when: {stem_stride: 1}}
  unit.stages.4.dilations: {choice: [[1], [1, 2]], when: {unit.stages.4.kind: sk}}
"""


@pytest.mark.parametrize("name", STAGED)
def test_a_stage_wise_space_is_counted_without_visiting_it(name: str) -> None:
    size = load_space(name).bind(**SMALL).size()
    assert size is not None
    assert 10**6 < size <= 10**10


def test_what_hangs_together_is_counted_together() -> None:
    space = space_of(TWO_STAGES)
    groups = independent(space.definition.order)
    assert [len(group) for group in groups] == [3, 3]
    # Stage 2: none, two of SE, three of SK. Stage 4: none and two of SK with stride 1, else nothing.
    assert space.size() == (1 + 2 + 3) * ((1 + 2) + 1)
    assert space.size() == sum(1 for _ in walk(space.definition.order, space._base))


def test_every_unit_of_every_stage_is_covered() -> None:
    # Here stage 4 depends on nothing.
    space = space_of(TWO_STAGES.replace(", when: {stem_stride: 1}", ""))
    covered = list(space.covering())
    assert len(covered) <= space.covering_size() == 2 * (6 + 3)
    for spec in space.enumerate():
        for stage in (2, 4):
            assert any(
                one.geometry == spec.geometry and one.unit.at(stage) == spec.unit.at(stage)
                for one in covered
            )
    assert len(covered) < len(list(space.enumerate()))


@pytest.mark.parametrize("name", STAGED)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_neighbours_are_in_the_space_and_differ_in_few_stages(name: str, seed: int) -> None:
    space = load_space(name).bind(**SMALL)
    rng = random.Random(seed)
    spec = space.sample(rng)
    near = list(space.neighbours(spec, rng, 6))
    assert len(near) >= 1
    for one in near:
        assert one.key != spec.key
        assert space.from_params(space.to_params(one)).key == one.key
        differing = [
            number for number, _ in spec.unit.stages if one.unit.at(number) != spec.unit.at(number)
        ]
        assert len(differing) <= 2


def test_neighbours_follow_the_generator() -> None:
    space = load_space("shufflenet_v2_sk_stages").bind(**SMALL)
    spec = space.sample(random.Random(0))
    drawn = [
        [one.key for one in space.neighbours(spec, random.Random(seed), 8)] for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@given(
    kind=st.sampled_from(["none", "se", "sk"]),
    dilations=st.sampled_from([(1,), (1, 2), (2, 1), (1, 3)]),
    reduction=st.sampled_from([4, 16]),
    base=st.sampled_from(["none", "se", "sk"]),
)
@settings(deadline=None)
def test_one_unit_in_all_stages_is_that_unit_however_it_is_written(
    kind: str, dilations: tuple[int, ...], reduction: int, base: str
) -> None:
    fields: dict[str, Any] = {"kind": kind, "dilations": dilations, "reduction": reduction}
    network: dict[str, Any] = {"backbone": "shufflenet_v2", "width": 0.5, **SMALL}
    whole = ArchSpec(**network, unit=UnitSpec(**fields))
    stages = tuple((number, UnitOverride(**fields)) for number in (2, 3, 4))
    assert ArchSpec(**network, unit=UnitSpec(kind=base, stages=stages)).key == whole.key
