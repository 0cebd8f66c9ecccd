from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from blocks import ArchSpec, InvalidInput, UnitOverride, UnitSpec
from blocks.yaml_files import parse
from tests.blocks.arch_strategies import arch_specs


@settings(max_examples=60, deadline=None)
@given(arch_specs())
def test_yaml_and_json_give_back_an_equal_spec(
    tmp_path_factory: pytest.TempPathFactory, spec: ArchSpec
) -> None:
    path = tmp_path_factory.mktemp("specs") / "arch.yaml"
    path.write_text(spec.to_yaml(), encoding="utf-8")
    back = ArchSpec.from_yaml(path)
    assert back == spec
    assert back.key == spec.key
    assert hash(back) == hash(spec)
    assert ArchSpec.model_validate_json(spec.model_dump_json()) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_published_layout_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "arch.yaml"
    path.write_text(
        "backbone: shufflenet_v2\nwidth: 0.5\nunit:\n  dilations: [1, 3]\n"
        "  stages: {4: {kind: none}, 2: {dilations: [1, 2, 3], branch_act: false}}\n"
    )
    spec = ArchSpec.from_yaml(path)
    unit = UnitSpec(
        dilations=(1, 3),
        stages=(
            (2, UnitOverride(dilations=(1, 2, 3), branch_act=False)),
            (4, UnitOverride(kind="none")),
        ),
    )
    assert spec == ArchSpec(backbone="shufflenet_v2", width=0.5, unit=unit)
    assert spec.unit.at(2) == UnitSpec(dilations=(1, 2, 3), branch_act=False)
    assert spec.unit.at(3) is spec.unit


def test_defaults_are_the_contract() -> None:
    assert ArchSpec(backbone="shufflenet_v2").model_dump() == {
        "backbone": "shufflenet_v2",
        "width": 1.0,
        "num_classes": 1000,
        "in_channels": 3,
        "input_size": 224,
        "stem_stride": 2,
        "unit": {
            "kind": "sk",
            "dilations": (1, 2),
            "kernel": "dilated",
            "group_width": 1,
            "reduction": 16,
            "min_dim": 32,
            "branch_act": True,
            "groups": (),
            "select": "full",
            "shortcut": True,
            "blocks": (),
            "placement": None,
            "pool": None,
            "fusion": None,
            "pairwise": "embedded",
            "subsample": False,
            "stages": {},
        },
    }


def test_is_frozen_and_hashable() -> None:
    spec = ArchSpec(backbone="shufflenet_v2")
    with pytest.raises(ValidationError, match="frozen"):
        spec.width = 0.5
    assert spec.key  # a stored key changes neither equality nor hash
    assert {spec, ArchSpec(backbone="shufflenet_v2")} == {spec}


def test_a_copy_has_a_key_of_its_own_and_is_checked() -> None:
    spec = ArchSpec(backbone="shufflenet_v2")
    assert spec.key
    copied = spec.model_copy(update={"input_size": 64})
    assert copied.key == ArchSpec(backbone="shufflenet_v2", input_size=64).key != spec.key
    with pytest.raises(ValidationError, match=r"width: 0\.7 does not exist"):
        spec.model_copy(update={"width": 0.7})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "backbone: Field required"),
        ({"backbone": "resnet"}, "unknown backbone 'resnet'; allowed: shufflenet_v2, "),
        ({"backbone": 3}, "backbone: Input should be a valid string, got 3"),
        ({"width": 0}, "width: Input should be greater than 0, got 0"),
        ({"width": float("nan")}, "width: "),
        ({"width": 11}, "width: Input should be less than or equal to 10"),
        ({"width": 0.75}, "width: 0.75 does not exist here; allowed: 0.25, 0.5, 1, 1.5, 2"),
        ({"num_classes": 0}, "num_classes: "),
        ({"num_classes": 1.5}, "num_classes: "),
        ({"in_channels": 0}, "in_channels: "),
        ({"input_size": 3}, "input_size: "),
        ({"input_size": "big"}, "input_size: "),
        ({"stem_stride": 3}, "stem_stride: 3; allowed: 1, 2"),
        ({"depth": 3}, "depth: unknown field; allowed: backbone, width, num_classes"),
        ({"unit": "sk"}, "unit: "),
        ({"unit": {"kind": "ks"}}, "unit in stage 2: unknown unit 'ks'; allowed: none, se, sk"),
        ({"unit": {"ratio": 3}}, "unit.ratio: unknown field; allowed: kind, dilations"),
        ({"unit": {"dilations": []}}, "unit.dilations: "),
        ({"unit": {"dilations": [1] * 17}}, "unit.dilations: "),
        ({"unit": {"dilations": [1, -1]}}, "unit.dilations.1: "),
        (
            {"unit": {"dilations": [1, 0]}},
            "unit in stage 2: dilations: 0 is below 1; 0, a 1x1 kernel, needs kernel: real",
        ),
        (
            {"unit": {"kernel": "real", "stages": {3: {"dilations": [0], "kernel": "dilated"}}}},
            "unit in stage 3: dilations: 0 is below 1",
        ),
        ({"unit": {"groups": [0]}}, "unit.groups.0: "),
        ({"unit": {"groups": 2}}, "unit.groups: "),
        (
            {"unit": {"groups": [1, 2, 1]}},
            "unit in stage 2: groups: 3 values for 2 branches; allowed: 1 or 2",
        ),
        (
            {"unit": {"groups": [2, 4]}},
            "unit in stage 2: groups: 4 does not divide 58 channels; allowed: a divisor",
        ),
        ({"unit": {"select": "max"}}, "unit.select: 'max'; allowed: full, reduced, sum"),
        ({"unit": {"shortcut": 3}}, "unit.shortcut: "),
        ({"unit": {"blocks": [64]}}, "unit.blocks.0: "),
        (
            {"unit": {"blocks": [0, 5]}},
            "unit in stage 2: blocks: 5: the stage has 4 blocks; allowed: -4 to 3",
        ),
        (
            {"unit": {"stages": {3: {"blocks": [-9]}}}},
            "unit in stage 3: blocks: -9: the stage has 8 blocks; allowed: -8 to 7",
        ),
        (
            {"unit": {"placement": "before"}},
            "unit.placement: 'before'; allowed: conv, standard, pre, ",
        ),
        (
            {"unit": {"kind": "se", "placement": "identity"}},
            "unit in stage 2: placement: identity: the shortcuts of this backbone have no place for a "
            "module; allowed: conv, standard, pre, post",
        ),
        (
            {"unit": {"kind": "se", "pool": "att"}},
            "unit in stage 2: pool: att; se allows avg, max, none",
        ),
        ({"unit": {"kernel": "huge"}}, "unit.kernel: 'huge'; allowed: dilated, real, plain"),
        ({"unit": {"group_width": 3}}, "unit in stage 2: group_width: 3 does not divide"),
        ({"unit": {"reduction": 0}}, "unit.reduction: "),
        ({"unit": {"min_dim": 0}}, "unit.min_dim: "),
        ({"unit": {"branch_act": 7}}, "unit.branch_act: "),
        ({"unit": {"stages": 3}}, "unit.stages: "),
        ({"unit": {"stages": {"x": {}}}}, "unit.stages.x"),
        ({"unit": {"stages": {None: {}, 2: {}}}}, "unit.stages.None"),
        ({"unit": {"stages": {2: {}, "2": {}}}}, "unit.stages: stage 2 comes twice"),
        ({"unit": {"stages": {2: 3}}}, "unit.stages.2: "),
        ({"unit": {"stages": {2: {"dilations": [-1]}}}}, "unit.stages.2.dilations.0: "),
        (
            {"unit": {"stages": {2: {"stages": {}}}}},
            "unit.stages.2.stages: unknown field; allowed: kind, dilations, kernel, group_width, "
            "reduction, min_dim, branch_act, groups, ",
        ),
        (
            {"unit": {"stages": {1: {"kind": "se"}}}},
            "unit.stages.1: shufflenet_v2 has no such stage",
        ),
        ({"unit": {"stages": {3: {"group_width": 5}}}}, "unit in stage 3: group_width: 5"),
    ],
)
def test_errors_are_one_line_with_the_path(fields: dict[str, Any], problem: str) -> None:
    data = {"backbone": "shufflenet_v2", **fields} if fields else {}
    with pytest.raises(InvalidInput) as caught:
        parse(ArchSpec, data, "arch.yaml")
    message = str(caught.value)
    assert message.startswith(f"arch.yaml: {problem}")
    assert "\n" not in message
    assert len(message) < 350


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2"])
def test_shortcuts_without_a_module_take_none(backbone: str) -> None:
    with pytest.raises(InvalidInput, match="placement: identity: the shortcuts of this backbone"):
        parse(
            ArchSpec,
            {"backbone": backbone, "unit": {"kind": "se", "placement": "identity"}},
            "arch.yaml",
        )
    # A kind that stands in place of the convolution does not look at it.
    ArchSpec(backbone=backbone, unit=UnitSpec(placement="identity"))


@pytest.mark.parametrize(
    ("unit", "label"),
    [
        ({}, "sk d1,2 w1 r16 L32 act"),
        ({"dilations": (2,), "branch_act": False}, "sk d2 w1 no act"),
        ({"select": "reduced", "shortcut": False}, "sk d1,2 w1 r16 L32 reduced act no shortcut"),
        (
            {"select": "sum", "groups": (1, 2), "dilations": (0, 1), "kernel": "real"},
            "sk real 0,1 G1,2 sum act",
        ),
        ({"kind": "none", "blocks": (0,)}, "none"),
        ({"kind": "se"}, "se r16"),
        (
            {"kind": "se", "pool": "max", "placement": "pre", "blocks": (-1,)},
            "se r16 max pool pre blocks -1",
        ),
        ({"stages": ((3, UnitOverride(kind="se")),)}, "sk d1,2 w1 r16 L32 act | stage 3: se r16"),
    ],
)
def test_labels_name_what_has_an_effect(unit: dict[str, Any], label: str) -> None:
    assert ArchSpec(backbone="shufflenet_v2", unit=UnitSpec(**unit)).label == label


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "expected a mapping of fields, got NoneType"),
        (b"[1, 2]", "expected a mapping of fields, got list"),
        (b"backbone: [", "not valid YAML at line 1"),
        (b"backbone: !!python/object/apply:os.getcwd []", "not valid YAML at line 1, column 11"),
        (b"\xff\xfe\x00\x01", "not "),
        (b"when: 2020-13-45", "not valid YAML"),
        (b"backbone: &a [*a]", ""),
        (b"[" * 5000, "not valid YAML"),
        (b"1: 2\nbackbone: shufflenet_v2", ""),
    ],
)
def test_files_that_are_no_spec(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "arch.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        ArchSpec.from_yaml(path)
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert "\n" not in str(caught.value)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        ArchSpec.from_yaml(tmp_path / "none.yaml")
    with pytest.raises(InvalidInput, match="cannot be read"):
        ArchSpec.from_yaml(tmp_path)
