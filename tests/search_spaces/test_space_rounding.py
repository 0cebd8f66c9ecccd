"""Groups that do not divide are rounded down, in the stages that they apply to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import ArchSpec, UnitOverride, UnitSpec
from search_spaces.rounding import round_down, round_groups
from tests.search_spaces.space_helpers import space_of

SHUFFLENET = {2: (24, 58), 3: (116,), 4: (232,)}


def test_58_channels_take_groups_of_2_where_4_are_asked() -> None:
    space = space_of(
        "name: x\nfixed: {backbone: shufflenet_v2}\nvary: {unit.group_width: {choice: [1, 4, 8]}}"
    )
    asked = [space.from_params({"unit.group_width": width}) for width in (1, 4, 8)]
    assert [spec.unit.group_width for spec in asked] == [1, 2, 2]
    assert asked[1].profile.channels == SHUFFLENET
    # The two rounded ones are one network, and 2 is found although nobody can ask for it.
    assert len(list(space.enumerate())) == 2
    assert space.size() == 3
    assert space.to_params(asked[1]) == {"unit.group_width": 4}


@pytest.mark.parametrize(
    ("unit", "shared", "own"),
    [
        (UnitSpec(group_width=8), 2, {}),
        (UnitSpec(group_width=8, stages=((2, UnitOverride(kind="none")),)), 4, {2: None}),
        (UnitSpec(group_width=8, stages=((2, UnitOverride(group_width=1)),)), 4, {2: 1}),
        (UnitSpec(group_width=8, stages=((4, UnitOverride(group_width=16)),)), 2, {4: 8}),
        (UnitSpec(group_width=2, stages=((3, UnitOverride(group_width=100)),)), 2, {3: 58}),
        (UnitSpec(kind="se", group_width=7), 7, {}),
        (
            UnitSpec(kind="none", group_width=7, stages=((3, UnitOverride(kind="sk")),)),
            4,
            {3: None},
        ),
    ],
)
def test_each_width_is_lowered_for_the_stages_it_holds_in(
    unit: UnitSpec, shared: int, own: dict[int, int | None]
) -> None:
    rounded = round_groups(unit, SHUFFLENET)
    assert rounded.group_width == shared
    assert {stage: override.group_width for stage, override in rounded.stages} == own
    ArchSpec(backbone="shufflenet_v2", unit=rounded)


@pytest.mark.parametrize(
    ("unit", "shared", "own"),
    [
        (UnitSpec(groups=(8,)), (2,), {}),
        (UnitSpec(groups=(1, 32)), (1, 2), {}),
        (UnitSpec(groups=(32, 1)), (2, 1), {}),  # they go by the branches, in this order
        (UnitSpec(groups=(8,), stages=((2, UnitOverride(kind="none")),)), (4,), {2: None}),
        (UnitSpec(groups=(8,), stages=((2, UnitOverride(groups=())),)), (4,), {2: ()}),
        (UnitSpec(stages=((3, UnitOverride(groups=(100, 30))),)), (), {3: (58, 29)}),
        (UnitSpec(kind="se", groups=(7,)), (7,), {}),
    ],
)
def test_so_is_each_number_of_groups(
    unit: UnitSpec, shared: tuple[int, ...], own: dict[int, tuple[int, ...] | None]
) -> None:
    rounded = round_groups(unit, SHUFFLENET)
    assert rounded.groups == shared
    assert {stage: override.groups for stage, override in rounded.stages} == own
    ArchSpec(backbone="shufflenet_v2", unit=rounded)


def test_a_group_width_stays_where_groups_stand_for_it() -> None:
    unit = UnitSpec(group_width=8, groups=(2,), stages=((3, UnitOverride(groups=())),))
    assert round_groups(unit, SHUFFLENET).group_width == 4
    assert round_groups(unit.model_copy(update={"stages": ()}), SHUFFLENET).group_width == 8


def test_rounded_groups_are_found_without_such_an_option() -> None:
    space = space_of(
        "name: x\nfixed: {backbone: shufflenet_v2}\n"
        "vary: {unit.groups: {choice: [[], [1], [32, 4], [1, 32], [32, 1]]}}"
    )
    asked = [space.from_params({"unit.groups": text}) for text in ("", "1", "32,4", "1,32", "32,1")]
    assert [spec.unit.groups for spec in asked] == [(), (1,), (2, 2), (1, 2), (2, 1)]
    assert len({spec.key for spec in asked}) == 5
    for spec in asked:
        assert space.from_params(space.to_params(spec)) == spec


@given(asked=st.integers(1, 500), divisor=st.integers(1, 1000))
def test_lowered_is_the_largest_divisor_not_above(asked: int, divisor: int) -> None:
    divisors = [width for width in range(1, divisor + 1) if divisor % width == 0]
    assert round_down(asked, divisor) == max(width for width in divisors if width <= asked)


STAGED = """
name: x
vary:
  backbone: {choice: [shufflenet_v2, mobilenet_v2]}
  unit.group_width: {int: [1, 70]}
  unit.stages.3.group_width: {int: [1, 70]}
  unit.stages.4.kind: {choice: [none, se, sk]}
"""


@settings(max_examples=80, deadline=None)
@given(shared=st.integers(1, 70), own=st.integers(1, 70), data=st.data())
def test_widths_that_divide_stay_and_others_are_maximal(
    shared: int, own: int, data: st.DataObject
) -> None:
    backbone = data.draw(st.sampled_from(["shufflenet_v2", "mobilenet_v2"]))
    kind = data.draw(st.sampled_from(["none", "se", "sk"]))
    spec = space_of(STAGED).from_params(
        {
            "backbone": backbone,
            "unit.group_width": shared,
            "unit.stages.3.group_width": own,
            "unit.stages.4.kind": kind,
        }
    )
    channels = spec.profile.channels
    elsewhere = [
        count
        for stage, counts in channels.items()
        if stage != 3 and (stage != 4 or kind == "sk")
        for count in counts
    ]
    fits = [w for w in range(1, 71) if all(count % w == 0 for count in elsewhere)]
    assert spec.unit.group_width == max(w for w in fits if w <= shared)
    fits = [w for w in range(1, 71) if all(count % w == 0 for count in channels[3])]
    assert spec.unit.at(3).group_width == max(w for w in fits if w <= own)
