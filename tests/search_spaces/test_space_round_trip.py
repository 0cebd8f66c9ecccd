"""Parameters, networks and files, there and back."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from blocks import ArchSpec, InvalidInput, UnitOverride, UnitSpec, build
from blocks.yaml_files import dump_yaml, parse
from search_spaces import SPACES, SearchSpace, SpaceDefinition, load_space
from tests.search_spaces.space_helpers import MIXED, SMALL, define, params_of, space_of

ALL = {name: load_space(name).bind(**SMALL) for name in SPACES} | {"mixed": space_of(MIXED)}
OPTIONS = """
name: options
about: Every field that says how a unit looks and where it stands.
vary:
  backbone: {choice: [shufflenet_v2, resnext29_16x32d]}
  unit.kind: {choice: [none, se, sk]}
  unit.kernel: {choice: [dilated, real]}
  unit.dilations:
    - {choice: [[0], [0, 1], [1, 2, 0]], when: {unit.kernel: real}}
    - {choice: [[1], [1, 1], [1, 2, 3]]}
  unit.groups:
    - {choice: [[], [32], [7, 64]], when: {unit.dilations: [[0, 1], [1, 1]]}}
    - {choice: [[], [16]]}
  unit.select: {choice: [full, reduced, sum]}
  unit.shortcut: {choice: [true, false]}
  unit.placement:
    - {choice: [conv, standard, pre, post, identity], when: {backbone: resnext29_16x32d}}
    - {choice: [conv, standard, pre, post]}
  unit.pool: {choice: [avg, max, none]}
  unit.blocks: {choice: [[], [0], [2, -1], [-1, 0]]}
  unit.stages.3.kind: {choice: [se, sk]}
  unit.stages.3.groups: {choice: [[12], [32]]}
  unit.stages.3.blocks: {choice: [[], [1]]}
  unit.stages.3.placement: {choice: [conv, post]}
"""
OPTIONS_SPACE = space_of(OPTIONS)
# Groups of 3 and 5 are rounded to 2 and 4, which nobody can ask for or which unlock no reduction.
ENDLESS = """
name: endless
fixed: {backbone: mobilenet_v2, unit.stages.2.dilations: [1, 3]}
vary:
  width: {float: [0.35, 0.4]}
  unit.group_width: {int: [3, 64], log: true}
  unit.reduction: {choice: [4, 8], when: {unit.group_width: {min: 5}}}
"""


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_parameters_give_a_valid_network_and_come_back_to_it(
    name: str, data: st.DataObject
) -> None:
    space = ALL[name]
    spec = space.from_params(data.draw(params_of(space)))
    assert parse(ArchSpec, yaml.safe_load(spec.to_yaml()), "arch.yaml") == spec
    params = space.to_params(spec)
    assert list(params) == list(space.distributions())
    for parameter, distribution in space.distributions().items():
        assert distribution._contains(distribution.to_internal_repr(params[parameter]))
    assert space.from_params(params).key == spec.key


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_so_do_all_options_of_a_unit_and_what_they_name_builds(data: st.DataObject) -> None:
    params = data.draw(params_of(OPTIONS_SPACE))
    spec = OPTIONS_SPACE.from_params(params)
    assert ",".join(map(str, spec.unit.blocks)) == params["unit.blocks"]
    back = OPTIONS_SPACE.to_params(spec)
    assert OPTIONS_SPACE.from_params(back).key == spec.key
    assert {n: back[n] for n in back if "blocks" in n} == {
        n: params[n] for n in back if "blocks" in n
    }
    with torch.device("meta"):
        build(spec)


def test_round_trip_in_an_endless_space() -> None:
    space = space_of(ENDLESS)
    rng = random.Random(3)
    for _ in range(15):
        spec = space.sample(rng)
        assert 0.35 <= spec.width <= 0.4
        assert dict(spec.unit.stages)[2].dilations == (1, 3)
        assert space.from_params(space.to_params(spec)) == spec


def test_inactive_parameters_have_no_effect_and_come_back_first() -> None:
    space = ALL["mixed"]
    params = space.to_params(next(space.enumerate()))
    assert params["unit.kernel"] == "dilated"
    assert (params["unit.dilations[1]"], params["unit.dilations[2]"]) == ("1,1", "1,3")
    changed = {**params, "unit.dilations[1]": "1,2", "unit.stages.4.reduction": 4, "lr": 0.1}
    assert space.from_params(changed) == space.from_params(params)


def test_a_plain_network_is_found_however_it_is_written() -> None:
    space = ALL["shufflenet_v2_sk"]
    plain = ArchSpec(
        backbone="shufflenet_v2", stem_stride=1, unit=UnitSpec(kind="none", reduction=3), **SMALL
    )
    params = space.to_params(plain)
    assert params["unit.dilations[0]"] == "1"
    assert params["unit.branch_act"] is False
    assert params["unit.group_width"] == 1
    assert space.from_params(params).key == plain.key


def test_the_order_of_branches_and_an_idle_override_are_no_difference() -> None:
    space = ALL["quickstart"]
    unit = UnitSpec(
        dilations=(3, 1), reduction=4, min_dim=8, stages=((4, UnitOverride(min_dim=8)),)
    )
    spec = ArchSpec(backbone="shufflenet_v2", width=0.5, stem_stride=2, unit=unit, **SMALL)
    assert space.to_params(spec)["unit.dilations"] == "1,3"


def test_a_width_that_rounds_to_one_of_the_space_is_found() -> None:
    space = ALL["mobilenet_v2_sk"]
    spec = ArchSpec(
        backbone="mobilenet_v2", width=0.351, stem_stride=1, unit=UnitSpec(kind="none"), **SMALL
    )
    params = space.to_params(spec)
    assert params["width"] == 0.35
    assert space.from_params(params).key == spec.key


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"backbone": "mobilenet_v2"}, "backbone is mobilenet_v2"),
        ({"width": 1.0}, "width is 1.0"),
        ({"num_classes": 11}, "num_classes is 11"),
        ({"unit": UnitSpec(dilations=(1, 7))}, r"unit.dilations is \[1, 7\]"),
        ({"unit": UnitSpec(kind="se")}, "unit.kind is se|do not occur together"),
        ({"unit": UnitSpec(kernel="real")}, "unit.kernel is real|do not occur together"),
    ],
)
def test_a_network_outside_is_refused(changes: dict[str, object], reason: str) -> None:
    inside: dict[str, Any] = {"backbone": "shufflenet_v2", "width": 0.5, **SMALL}
    with pytest.raises(InvalidInput, match=f"^space quickstart: not in it: .*({reason})$"):
        ALL["quickstart"].to_params(ArchSpec(**{**inside, **changes}))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"width": 0.5}, "space table4: parameter unit.kind is missing"),
        (
            {"width": 0.75, "unit.kind": "sk"},
            "space table4: width: 0.75 is no choice; allowed: 0.5, 1.0",
        ),
    ],
)
def test_parameters_of_another_space_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ALL["table4"].from_params(params)
    assert str(caught.value) == message


@pytest.mark.parametrize("bad", [0, 8, 2.5, "3", True, None])
def test_a_number_outside_its_range_is_refused(bad: object) -> None:
    space = ALL["mixed"]
    params = space.to_params(next(space.enumerate()))
    with pytest.raises(InvalidInput, match=r"unit.group_width: .* is not in 1 to 7"):
        space.from_params({**params, "unit.group_width": bad})
    with pytest.raises(InvalidInput, match=r"width: 0\.7 is not 0\.5 plus steps of 0.5"):
        space.from_params({**params, "width": 0.7})


@pytest.mark.parametrize("name", ALL)
def test_a_definition_survives_json_yaml_and_pickle(name: str) -> None:
    definition = ALL[name].definition
    assert parse(SpaceDefinition, definition.model_dump(mode="json"), "x") == definition
    assert parse(SpaceDefinition, yaml.safe_load(dump_yaml(definition)), "x") == definition
    assert SpaceDefinition.model_validate_json(definition.model_dump_json()) == definition
    assert pickle.loads(pickle.dumps(definition)) == definition
    again = SearchSpace(parse(SpaceDefinition, definition.model_dump(mode="json"), "x"))
    assert again.distributions() == ALL[name].distributions()


def test_a_definition_is_stored_as_it_was_written() -> None:
    written = yaml.safe_load(MIXED)
    stored = define(MIXED).model_dump(mode="json")
    assert stored["fixed"] == {"unit.kind": "sk"}
    assert stored["vary"]["unit.min_dim"] == written["vary"]["unit.min_dim"]
    assert stored["vary"]["width"] == written["vary"]["width"]
    assert stored["vary"]["unit.reduction"] == written["vary"]["unit.reduction"]
    assert len(stored["vary"]["unit.dilations"]) == 3


def test_distributions_are_optunas_and_scalar() -> None:
    found = ALL["mixed"].distributions()
    assert found["unit.dilations[0]"] == CategoricalDistribution(["1", "1,2", "1,5"])
    assert found["unit.min_dim"] == IntDistribution(8, 32, step=8)
    assert found["unit.reduction"] == IntDistribution(2, 16, log=True)
    assert found["width"] == FloatDistribution(0.5, 1.0, step=0.5)
    assert len(found) == 12


def test_samples_follow_the_seed_and_spread_over_the_values() -> None:
    space = ALL["mixed"]
    first = [space.sample(random.Random(seed)).key for seed in range(40)]
    assert first == [space.sample(random.Random(seed)).key for seed in range(40)]
    rng = random.Random(0)
    drawn = [space.sample(rng) for _ in range(400)]
    assert {spec.unit.kernel for spec in drawn} == {"dilated", "real"}
    assert {spec.width for spec in drawn} == {0.5, 1.0}
    assert set(range(2, 17)) <= {spec.unit.reduction for spec in drawn}
    assert {spec.unit.min_dim for spec in drawn} == {8, 16, 24, 32}
