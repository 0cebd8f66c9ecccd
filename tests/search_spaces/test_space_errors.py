"""Every mistake in a file is one line with the file, the path of the field, and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks import InvalidInput
from search_spaces import SearchSpace, load_space
from tests.search_spaces.space_helpers import define

VARY = "name: x\nfixed: {backbone: shufflenet_v2}\nvary:\n  "

IN_A_LINE = {
    # the field
    "unit.dilation: {choice: [[1]]}": "unit.dilation: unknown field; allowed: backbone, width, ",
    "unit.stages.two.kind: {choice: [sk]}": "unit.stages.two.kind: unknown field; ",
    "unit.stages.04.kind: {choice: [sk]}": "unit.stages.04.kind: unknown field; ",
    "unit: {choice: [1]}": "unit: unknown field; ",
    "num_classes: {choice: [2, 3]}": "num_classes: comes from the data set, so no space can vary it",
    "input_size: {choice: [2, 32]}": "input_size.choice.0: Input should be greater than or equal to 4",
    "backbone: {choice: [mobilenet_v2]}": (
        "backbone: fixed as well; a field is either fixed or varied"
    ),
    # the entry
    "width: [0.5, 1.0]": "width.0: expected a mapping such as {choice: [..]}, got 0.5",
    "width: 1.0": "width: expected a mapping such as {choice: [..]}, got 1.0",
    "width: []": "width: expected at least one entry",
    "width: {choise: [1.0]}": (
        "width.choise: unknown field; allowed: choice, int, float, step, log, when"
    ),
    "width: {when: {stem_stride: 2}}": "width: give exactly one of choice, int, float",
    "width: {choice: [0.5], float: [0.5, 1]}": "width: give exactly one of choice, int, float",
    "width: [{choice: [0.5]}, {choice: [1.0]}]": (
        "width.1: never active, since the entry before it has no when"
    ),
    # choices
    "width: {choice: []}": "width.choice: expected a list of at least one value, got []",
    "width: {choice: 0.5}": "width.choice: expected a list of at least one value, got 0.5",
    "width: {choice: [0.5, 1, 1.0]}": "width.choice.2: 1.0 is listed twice",
    "width: {choice: [0.5], step: 1}": "width.step: only int and float have one",
    "width: {choice: [0.5, wide]}": "width.choice.1: Input should be a valid number, got 'wide'",
    "width: {choice: [0.5, '1.0']}": "width.choice.1: Input should be a valid number, got '1.0'",
    "width: {choice: [2020-01-01]}": "width.choice.0: not a value of a field, got datetime.date",
    "unit.dilations: {choice: [[1, 2], [2, 1]]}": "unit.dilations.choice.1: [1, 2] is listed twice",
    "unit.dilations: {choice: [[1], [1, -1]]}": (
        "unit.dilations.choice.1.1: Input should be greater than or equal to 0, got -1"
    ),
    "unit.dilations: {choice: [[1], []]}": "unit.dilations.choice.1: Tuple should have at least 1",
    "unit.dilations: {choice: [1, 2]}": "unit.dilations.choice.0: Input should be a valid array",
    "unit.dilations: [{choice: [[1]], when: {width: 1}}, {choice: [[-1]]}]": (
        "unit.dilations.1.choice.0.0: Input should be greater than or equal to 0, got -1"
    ),
    "unit.kind: {choice: [sk, ks]}": "unit.kind.choice.1: unknown unit 'ks'; allowed: none, se, sk",
    "unit.placement: {choice: [conv, null]}": (
        "unit.placement.choice.1: expected a value, got None"
    ),
    "unit.kernel: {choice: [reel]}": (
        "unit.kernel.choice.0: Input should be 'dilated', 'real' or 'plain', got 'reel'"
    ),
    "unit.branch_act: {choice: [1, 0]}": (
        "unit.branch_act.choice.0: Input should be a valid boolean, got 1"
    ),
    "unit.stages.2.kind: {choice: [null, sk]}": "unit.stages.2.kind.choice.0: Input should be",
    # ranges
    "unit.min_dim: {int: [32, 8]}": "unit.min_dim.int: low 32 is above high 8",
    "unit.min_dim: {int: [8]}": "unit.min_dim.int: expected [low, high] of type int, got [8]",
    "unit.min_dim: {int: [8, 9.5]}": "unit.min_dim.int: expected [low, high] of type int, got [8, 9.5]",
    "unit.min_dim: {int: [0, 8]}": (
        "unit.min_dim.int.0: Input should be greater than or equal to 1, got 0"
    ),
    "unit.min_dim: {float: [8, 16]}": "unit.min_dim.float.0: Input should be a valid integer",
    "unit.kernel: {int: [1, 2]}": "unit.kernel.int.0: Input should be 'dilated', 'real' or 'plain'",
    "unit.min_dim: {int: [8, 30], step: 8}": (
        "unit.min_dim.step: steps of 8 do not lead from 8 to 30"
    ),
    "unit.min_dim: {int: [8, 32], step: 0}": "unit.min_dim.step: expected a number above 0",
    "unit.min_dim: {int: [8, 32], step: 1.5}": "unit.min_dim.step: expected a number above 0",
    "unit.min_dim: {int: [8, 32], step: 8, log: true}": (
        "unit.min_dim.step: a range has a step or log, not both"
    ),
    "unit.min_dim: {int: [0, 32], log: true}": "unit.min_dim.int.0: Input should be greater than",
    "unit.min_dim: {int: [8, 32], log: 2}": "unit.min_dim.log: expected true or false, got 2",
    "width: {float: [0.5, .nan]}": "width.float: expected [low, high] of type float, got [0.5, nan]",
    "width: {float: [-1, 1], log: true}": "width.float.0: Input should be greater than 0, got -1",
    # conditions
    "width: {choice: [1.0], when: 3}": "width.when: expected a mapping from a field to values, got 3",
    "width: {choice: [1.0], when: {}}": "width.when: expected a mapping from a field to values, got {}",
    "width: {choice: [1.0], when: {size: 3}}": "width.when.size: unknown field; allowed: backbone, ",
    "width: {choice: [1.0], when: {unit.kind: sk}}": (
        "width.when.unit.kind: neither fixed nor varied here; allowed: width, backbone, num_classes, "
        "in_channels, input_size, stem_stride"
    ),
    "width: [{choice: [1.0], when: {stem_stride: 1}}, {choice: [0.5], when: {unit.kind: sk}}]": (
        "width.1.when.unit.kind: neither fixed nor varied here; "
    ),
    "width: {choice: [1.0], when: {input_size: small}}": (
        "width.when.input_size: Input should be a valid integer, got 'small'"
    ),
    "width: {choice: [1.0], when: {input_size: []}}": (
        "width.when.input_size: an empty list never holds"
    ),
    "width: {choice: [1.0], when: {input_size: {maximum: 64}}}": (
        "width.when.input_size.maximum: unknown field; allowed: min, max, none_of"
    ),
    "width: {choice: [1.0], when: {input_size: {max: big}}}": (
        "width.when.input_size.max: expected a number, got 'big'"
    ),
    "width: {choice: [1.0], when: {input_size: {min: 65, max: 64}}}": (
        "width.when.input_size: min 65 is above max 64"
    ),
    "width: {choice: [1.0], when: {backbone: {min: 2}}}": (
        "width.when.backbone.min: backbone is no number; give the allowed values instead"
    ),
    "width: {choice: [1.0], when: {width: 1}}": (
        "width: its when depends on itself: width -> width"
    ),
    # what does not exist
    "width: {choice: [0.5, 0.75]}": (
        "width: 0.75 does not exist here; allowed: 0.25, 0.5, 1, 1.5, 2 (backbone shufflenet_v2)"
    ),
    "width: {float: [0.5, 1.0]}": "width: 0.75 does not exist here; ",
    "unit.stages.1.kind: {choice: [none]}": (
        "unit.stages.1.kind: shufflenet_v2 has no such stage; allowed: 2, 3, 4"
    ),
    # what does not exist together
    "unit.dilations: {choice: [[1], [0, 1]]}": (
        "unit.dilations: 0 is below 1; 0, a 1x1 kernel, needs kernel: real (backbone shufflenet_v2, "
        "stage 2)"
    ),
    "unit.stages.3.dilations: {choice: [[0, 1]]}": "unit.stages.3.dilations: 0 is below 1; ",
    "unit.groups: {choice: [[2], [2, 4, 8]]}": "unit.groups: 3 values for 2 branches; ",
    "unit.blocks: {choice: [[0], [0, 5]]}": (
        "unit.blocks: 5: the stage has 4 blocks; allowed: -4 to 3 (backbone shufflenet_v2, stage 2)"
    ),
    "unit.stages.3.blocks: {choice: [[7], [-9]]}": (
        "unit.stages.3.blocks: -9: the stage has 8 blocks; "
    ),
    "unit.stages.4.kind: {choice: [se]}\n  unit.placement: {choice: [pre, identity]}": (
        "unit.placement: identity: the shortcuts of this backbone have no place for a module; "
    ),
    "unit.kind: {choice: [se]}\n  unit.pool: {choice: [att]}": (
        "unit.pool: att; se allows avg, max, none (backbone shufflenet_v2, stage 2)"
    ),
}  # fmt: skip

WHOLE_FILES = {
    "[1]": "my.yaml: expected a mapping of fields, got list",
    "name: x": "my.yaml: fixed.backbone: missing; a space must fix or vary the backbone",
    "fixed: {backbone: shufflenet_v2}": "my.yaml: name: Field required",
    "name: x\nvaries: {}": "my.yaml: varies: unknown field; allowed: name, about, fixed, vary",
    "name: x\nfixed: 3": "my.yaml: fixed: expected a mapping, got 3",
    "name: x\nvary: [1]": "my.yaml: vary: expected a mapping, got [1]",
    "name: x\nfixed: {backbone: resnet}": (
        "my.yaml: fixed.backbone: unknown backbone 'resnet'; allowed: shufflenet_v2, "
    ),
    "name: x\nfixed: {backbone: shufflenet_v2, depth: 3}": "my.yaml: fixed.depth: unknown field; ",
    "name: x\nfixed: {backbone: shufflenet_v2, unit: {dilations: [-1]}}": (
        "my.yaml: fixed.unit.dilations.0: Input should be greater than or equal to 0, got -1"
    ),
    "name: x\nfixed: {backbone: shufflenet_v2, unit: {dilations: [0]}}": (
        "my.yaml: fixed.unit.dilations: 0 is below 1; 0, a 1x1 kernel, needs kernel: real "
    ),
    "name: x\nfixed: {unit.kind: sk, unit: {kind: se}}": "my.yaml: fixed.unit.kind: given twice",
    "name: x\nfixed: {backbone: shufflenet_v2, width: 0.75}": (
        "my.yaml: fixed.width: 0.75 does not exist here; allowed: 0.25, 0.5, 1, 1.5, 2 "
    ),
    "name: x\nfixed: {backbone: shufflenet_v2, unit.stages.7.kind: none}": (
        "my.yaml: fixed.unit.stages.7.kind: shufflenet_v2 has no such stage; allowed: 2, 3, 4"
    ),
    "name: x\nvary: {backbone: {choice: [shufflenet_v2], when: {input_size: {max: 64}}}}": (
        "my.yaml: vary.backbone: no entry is active and there is no default"
    ),
    """
    name: x
    fixed: {backbone: shufflenet_v2}
    vary:
      width: {choice: [0.5], when: {unit.kind: sk}}
      unit.kind: {choice: [sk], when: {unit.kernel: real}}
      unit.kernel: {choice: [real], when: {width: 0.5}}
    """: "my.yaml: vary.",
}


@pytest.fixture
def message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """What loading a file with the test's text says."""
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text(request.param)
    with pytest.raises(InvalidInput) as caught:
        load_space("my.yaml")
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("my.yaml: ")
    return text


@pytest.mark.parametrize(
    ("message", "expected"),
    [(VARY + line, expected) for line, expected in IN_A_LINE.items()],
    indirect=["message"],
    ids=list(IN_A_LINE),
)
def test_an_entry_that_is_wrong(message: str, expected: str) -> None:
    assert message.startswith(f"my.yaml: vary.{expected}")


@pytest.mark.parametrize(
    ("message", "expected"), WHOLE_FILES.items(), indirect=["message"], ids=range(len(WHOLE_FILES))
)
def test_a_file_that_is_wrong(message: str, expected: str) -> None:
    assert message.startswith(expected)


def test_a_circle_is_spelt_out() -> None:
    with pytest.raises(InvalidInput) as caught:
        define(list(WHOLE_FILES)[-1])
    start, circle = str(caught.value).split(": its when depends on itself: ")
    path = circle.split(" -> ")
    assert start == f"my.yaml: vary.{path[0]}"
    assert path[0] == path[-1]
    assert set(path) == {"width", "unit.kind", "unit.kernel"}
    watches = {"width": "unit.kind", "unit.kind": "unit.kernel", "unit.kernel": "width"}
    assert path[1:] == [watches[one] for one in path[:-1]]


def test_a_width_that_one_backbone_lacks_needs_a_condition() -> None:
    """Combinations are checked, so that no sampler ever meets one that cannot be built."""
    backbones = "name: x\nvary:\n  backbone: {choice: [mobilenet_v2, shufflenet_v2]}\n  width:\n"
    either = backbones + "    - {choice: [0.35, 0.5]}\n"
    fitting = (
        backbones
        + "    - {choice: [0.5], when: {backbone: shufflenet_v2}}\n    - {choice: [0.35, 0.5]}\n"
    )
    with pytest.raises(InvalidInput, match=r"^vary\.width: 0\.35 does not exist"):
        SearchSpace(define(either))
    assert SearchSpace(define(fitting)).size() == 3
    assert repr(SearchSpace(define(fitting))) == "SearchSpace('x', varies backbone, width)"


@pytest.mark.parametrize(
    ("entry", "condition"),
    [
        ("unit.placement: {choice: [identity], when: {W}}", "backbone: resnext29_16x32d"),
        ("unit.placement: {choice: [identity], when: {W}}", "unit.kind: sk"),
        ("unit.dilations: {choice: [[0, 1]], when: {W}}", "unit.kernel: real"),
        ("unit.groups: {choice: [[2, 3, 4]], when: {W}}", "unit.dilations: [[1, 2, 3]]"),
        ("unit.blocks: {choice: [[2]], when: {W}}", "backbone: resnext29_16x32d"),
        ("unit.pool: {choice: [att], when: {W}}", "unit.kind: sk"),
    ],
)
def test_what_only_some_networks_have_needs_a_condition(entry: str, condition: str) -> None:
    others = """
    name: x
    vary:
      backbone: {choice: [mobilenet_v2, resnext29_16x32d]}
      unit.kind: {choice: [se, sk]}
      unit.kernel: {choice: [dilated, real]}
      unit.dilations: {choice: [[1], [1, 2], [1, 2, 3]]}
      """
    if entry.startswith("unit.dilations"):
        others = others.replace("unit.dilations: {choice: [[1], [1, 2], [1, 2, 3]]}", "")
    space = SearchSpace(define(others + entry.replace("W", condition)))
    assert all(spec.key for spec in space.enumerate())
    with pytest.raises(InvalidInput, match=rf"^vary\.{entry.split(':')[0]}: "):
        SearchSpace(define(others + entry.replace(", when: {W}", "")))
