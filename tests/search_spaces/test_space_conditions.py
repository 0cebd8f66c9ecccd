"""What is in force when: alternatives, defaults, and what the data set decides."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import InvalidInput
from search_spaces import load_space
from tests.search_spaces.space_helpers import MIXED, SMALL, params_of, space_of

SK_SPACES = {
    name: load_space(name).bind(**SMALL)
    for name in ("shufflenet_v2_sk", "mobilenet_v2_sk", "mobilenet_v3_sk")
}


@pytest.mark.parametrize("name", SK_SPACES)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_real_kernels_stay_within_7x7(name: str, data: st.DataObject) -> None:
    space = SK_SPACES[name]
    params = data.draw(params_of(space))
    unit = space.from_params(params).unit
    assert unit.kernel == params["unit.kernel"]
    chosen = params[f"unit.dilations[{['dilated', 'real'].index(unit.kernel)}]"]
    assert ",".join(map(str, unit.dilations)) == chosen
    if unit.kernel == "real":
        assert max(unit.dilations) <= 3


def test_dilated_kernels_go_further_than_real_ones() -> None:
    units = [spec.unit for spec in SK_SPACES["shufflenet_v2_sk"].enumerate()]
    assert max(max(u.dilations) for u in units if u.kernel == "dilated") == 4
    assert max(max(u.dilations) for u in units if u.kernel == "real") == 3


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_first_alternative_that_holds_is_in_force(data: st.DataObject) -> None:
    space = space_of(MIXED)
    params = data.draw(params_of(space))
    spec = space.from_params(params)
    if params["unit.kernel"] == "dilated":
        expected = params["unit.dilations[0]"]
    elif spec.width == 0.5:
        expected = params["unit.dilations[1]"]
    else:
        expected = "1,3"
    assert ",".join(map(str, spec.unit.dilations)) == expected
    watched = 2 <= params["unit.group_width"] <= 4
    assert spec.unit.reduction == (params["unit.reduction"] if watched else 16)
    # Out of force, reduction is 16, and min_dim looks at that.
    free = spec.unit.reduction >= 3 and spec.unit.reduction != 5
    assert spec.unit.min_dim == (params["unit.min_dim"] if free else 32)
    stages = dict(spec.unit.stages)
    assert stages[4].kind == params["unit.stages.4.kind"]
    assert (stages[4].reduction is None) == (stages[4].kind == "none")
    assert (3 in stages) == (spec.backbone == "shufflenet_v2")


def test_a_condition_on_the_image_size_follows_the_data_set() -> None:
    space = load_space("shufflenet_v2_sk")
    params = {**space.to_params(next(space.enumerate())), "stem_stride": 1}
    strides = {
        side: space.bind(num_classes=10, in_channels=3, input_size=side)
        .from_params(params)
        .stem_stride
        for side in (32, 64, 65, 224)
    }
    assert strides == {32: 1, 64: 1, 65: 2, 224: 2}
    small, large = (
        space.bind(num_classes=10, in_channels=3, input_size=side).size() for side in (64, 65)
    )
    assert small is not None
    assert large is not None
    assert small == 2 * large


def test_stem_stride_follows_the_image_unless_the_space_says() -> None:
    plain = "name: x\nfixed: {backbone: shufflenet_v2}"
    fixed = "name: x\nfixed: {backbone: shufflenet_v2, stem_stride: 2}"
    follow = [next(space_of(plain, input_size=s).enumerate()).stem_stride for s in (32, 64, 65)]
    assert follow == [1, 1, 2]
    assert next(space_of(fixed, input_size=32).enumerate()).stem_stride == 2


def test_a_condition_sees_the_stem_stride_that_the_image_brings() -> None:
    text = """
    name: x
    fixed: {backbone: shufflenet_v2}
    vary: {unit.reduction: {choice: [4, 8], when: {stem_stride: 1}}}
    """
    assert space_of(text, input_size=64).size() == 2
    assert space_of(text, input_size=65).size() == 1


def test_unbound_is_imagenet_and_binding_leaves_the_original() -> None:
    space = load_space("table4")
    bound = space.bind(**SMALL)
    spec = next(space.enumerate())
    assert (spec.num_classes, spec.in_channels, spec.input_size) == (1000, 3, 224)
    assert spec.stem_stride == 2
    small = next(bound.enumerate())
    assert (small.num_classes, small.in_channels, small.input_size) == (10, 1, 16)
    assert bound.definition == space.definition


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"input_size": 28}, "input_size: the space fixes 32, the data set has 28"),
        ({"num_classes": 0}, "num_classes: Input should be greater than or equal to 1, got 0"),
    ],
)
def test_binding_to_other_data_is_refused(data: dict[str, int], message: str) -> None:
    text = "name: x\nfixed: {backbone: shufflenet_v2, input_size: 32}"
    assert next(space_of(text, input_size=32).enumerate()).input_size == 32
    with pytest.raises(InvalidInput) as caught:
        space_of(text, **data)
    assert str(caught.value) == message


def test_a_space_may_vary_the_size_of_the_images() -> None:
    text = """
    name: x
    fixed: {backbone: shufflenet_v2, width: 0.5}
    vary:
      input_size: {choice: [48, 64, 96]}
      unit.group_width: {choice: [1, 2]}
    """
    space = space_of(text, input_size=96)
    networks = list(space.enumerate())
    assert sorted({spec.input_size for spec in networks}) == [48, 64, 96]
    assert {spec.stem_stride for spec in networks} == {2}  # of 96 pixels, in all
    assert space.size() == len(networks) == 6
    for spec in networks:
        assert space.from_params(space.to_params(spec)).key == spec.key
    other = networks[0].model_copy(update={"input_size": 80})
    with pytest.raises(InvalidInput, match="input_size"):
        space.to_params(other)
