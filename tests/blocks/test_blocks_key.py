from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import defaultdict
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import ArchSpec, UnitOverride, UnitSpec
from tests.blocks.arch_strategies import CHEAP, MOBILE, PLACEMENTS, RESNETS, arch_specs, skeleton

SHUFFLE = "shufflenet_v2"


@cache
def built(spec: ArchSpec) -> tuple[str, str, int]:
    """What tells two networks apart: every module with its attributes in its place, and the image.

    The attributes, such as the way an SE unit pools, on top of what modules print of themselves.
    """
    model = skeleton(spec)
    figures = [
        (path, name, value)
        for path, module in model.named_modules()
        for name, value in sorted(vars(module).items())
        if isinstance(value, bool | int | float | str) and not name.startswith("_")
    ]
    return repr(model), repr(figures), spec.input_size


@cache
def shapes(spec: ArchSpec) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(value.shape)) for name, value in skeleton(spec).state_dict().items()]


def random_spec(backbone: str, rng: random.Random) -> ArchSpec:
    """A spec out of few, so that many pairs are the same network said differently."""

    def dilations() -> tuple[int, ...]:
        return rng.choice([(1,), (2,), (1, 2), (2, 1), (1, 1)])

    def unit() -> dict[str, Any]:
        return {
            "kind": rng.choice(["none", "se", "sk", "sk", "sk"]),
            "dilations": dilations(),
            "kernel": rng.choice(["dilated", "real"]),
            "group_width": rng.choice([1, 1, 2, native]),
            "reduction": rng.choice([2, 16, 3000]),
            "min_dim": rng.choice([1, 32, 5000]),
            "branch_act": rng.random() < 0.3,
            "groups": rng.choice([(), (), (), (1,), (2,)]),
            "select": rng.choice(["full", "full", "reduced", "sum"]),
            "shortcut": rng.random() < 0.5,
            "placement": rng.choice([None, None, *places]),
            "pool": rng.choice([None, "avg", "max"]),
            "blocks": rng.choice([(), (), (), (0,), (-1,), (0, -1), (-1, 0, 0), (-least,)]),
        }

    figures: dict[str, Any] = {
        "backbone": backbone,
        "num_classes": 2,
        "input_size": 32,
        "width": 1.0,
    }
    if backbone in MOBILE and backbone != SHUFFLE:
        figures["width"] = rng.choice([1.0, 1.001])
    places = [*PLACEMENTS, *(["identity"] if backbone in RESNETS else [])]
    native = {"resnext29_16x32d": 32}.get(backbone, 1)  # channels per group of its own in stage 2
    stages = ArchSpec(**figures).profile.stages
    least = min(stage.depth for stage in stages)
    own = {k: v for k, v in unit().items() if v is not None and rng.random() < 0.3}
    overrides = {stages[0].number: own}
    stated = {**unit(), "stages": overrides if rng.random() < 0.5 else {}}
    return ArchSpec(**figures, unit=UnitSpec.model_validate(stated))


@pytest.mark.integration
@pytest.mark.parametrize("backbone", [b for b in CHEAP if b not in ("resnet26", "resnext26")])
def test_keys_part_specs_exactly_as_the_built_networks_do(backbone: str) -> None:
    rng = random.Random(0)
    specs = {random_spec(backbone, rng) for _ in range(50)}
    by_key, by_network = defaultdict(set), defaultdict(set)
    for spec in specs:
        by_key[spec.key].add(spec)
        by_network[built(spec)].add(spec)
    parts = [{frozenset(part) for part in table.values()} for table in (by_key, by_network)]
    assert parts[0] == parts[1]
    assert 10 < len(parts[0]) < len(specs)


def changed_spec(spec: ArchSpec, random: Any) -> ArchSpec:
    """``spec`` with one field of it or its unit another, or said another way."""
    unit = spec.unit
    order = list(unit.dilations)
    random.shuffle(order)
    stage = random.choice(list(spec.profile.channels))
    same = unit.at(stage).model_dump(exclude={"stages"})
    other = {number: override for number, override in unit.stages if number != stage}
    changes: list[dict[str, Any]] = [
        {"dilations": tuple(order)},
        {"dilations": (*unit.dilations[:-1], unit.dilations[-1] + 1)},
        {"dilations": (*unit.dilations, 1)},
        {"kernel": "real" if unit.kernel == "dilated" else "dilated"},
        {"reduction": unit.reduction + 1},
        {"min_dim": unit.min_dim + 1},
        {"group_width": 3 - unit.group_width},
        {"branch_act": not unit.branch_act},
        {"kind": random.choice(["none", "se", "sk"])},
        {"select": random.choice(["full", "reduced", "sum"])},
        {"shortcut": not unit.shortcut},
        {"groups": () if unit.groups else (1,)},
        {"groups": tuple(reversed(unit.groups))},
        {"placement": random.choice([None, *PLACEMENTS])},
        {"pool": random.choice([None, "avg", "max", "none"])},
        {"blocks": tuple(reversed(unit.blocks))},
        {"blocks": random.choice([(), (0,), (-1,), (-1, 0)])},
        {"stages": tuple({**other, stage: UnitOverride(**same)}.items())},
        {"stages": ()},
    ]
    figures: list[dict[str, Any]] = [
        {"num_classes": spec.num_classes + 1},
        {"in_channels": spec.in_channels + 1},
        {"input_size": spec.input_size + 1},
        {"stem_stride": 3 - spec.stem_stride},
    ]
    if random.random() < 0.2:
        return spec.model_copy(update=random.choice(figures))
    return spec.model_copy(update={"unit": unit.model_copy(update=random.choice(changes))})


@settings(max_examples=30, deadline=None)
@given(arch_specs(), st.randoms(use_true_random=False))
def test_a_change_changes_the_key_exactly_when_it_changes_the_network(
    spec: ArchSpec, random: Any
) -> None:
    changed = changed_spec(spec, random)
    same = built(spec) == built(changed) and spec.stem_stride == changed.stem_stride
    assert (spec.key == changed.key) == same
    if same:
        assert shapes(spec) == shapes(changed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"dilations": (1, 2, 3)}, {"dilations": (3, 1, 2)}),
        ({"reduction": 16}, {"reduction": 64}),  # d = L either way
        ({"min_dim": 32, "reduction": 2000}, {"min_dim": 32}),
        ({"dilations": (1, 1), "kernel": "real"}, {"dilations": (1, 1)}),
        ({"dilations": (2,), "reduction": 3, "min_dim": 5}, {"dilations": (2,)}),
        ({"kind": "none", "dilations": (3,), "group_width": 2}, {"kind": "none"}),
        ({"kind": "none"}, {"dilations": (1,), "branch_act": False}),
        ({"kind": "se", "dilations": (3,), "min_dim": 3, "branch_act": False}, {"kind": "se"}),
        ({"stages": {2: {"dilations": (2, 1)}, 3: {}}}, {}),
        ({"kind": "none", "stages": {s: {"kind": "sk"} for s in (2, 3, 4)}}, {}),
        ({"dilations": (1,), "select": "sum"}, {"dilations": (1,)}),
        ({"select": "sum", "reduction": 3, "min_dim": 500}, {"select": "sum"}),
        ({"kind": "se", "pool": "avg", "placement": "standard"}, {"kind": "se"}),
        ({"kind": "se", "groups": (2,), "select": "sum", "shortcut": False}, {"kind": "se"}),
        ({"placement": "post", "pool": "max"}, {}),
        ({"groups": (2, 2)}, {"groups": (2,)}),
        ({"groups": (2,), "group_width": 7}, {"groups": (2,)}),
        ({"dilations": (1, 1), "groups": (2, 1)}, {"dilations": (1, 1), "groups": (1, 2)}),
        ({"dilations": (1, 0), "kernel": "real"}, {"dilations": (0, 1), "kernel": "real"}),
        ({"stages": {2: {"blocks": (0, 1, 2, 3)}, 3: {"blocks": (-1, *range(8))}}}, {}),
        ({"blocks": (0, -1)}, {"blocks": (3, 0), "stages": {3: {"blocks": (7, 0)}}}),
    ],
)
def test_same_network_said_differently(one: dict[str, Any], other: dict[str, Any]) -> None:
    specs = [ArchSpec(backbone=SHUFFLE, unit=UnitSpec(**unit)) for unit in (one, other)]
    assert specs[0] != specs[1]
    assert specs[0].key == specs[1].key
    assert built(specs[0]) == built(specs[1])
    assert shapes(specs[0]) == shapes(specs[1])


def test_the_plain_block_of_resnext_is_a_branch_with_its_groups() -> None:
    plain = ArchSpec(backbone="resnext29_16x32d", input_size=32, unit=UnitSpec(kind="none"))
    alone = UnitSpec(dilations=(1,), branch_act=False)
    keys = [
        plain.model_copy(update={"unit": alone.model_copy(update=groups)}).key
        for groups in ({"groups": (16,)}, {"groups": (8,)}, {"group_width": 32}, {})
    ]
    assert keys[0] == plain.key
    assert plain.key not in keys[1:]  # 32 channels a group are the plain block's in stage 2 alone


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"kind": "se", "pool": "max"}, {"kind": "se"}),
        ({"kind": "se", "placement": "post"}, {"kind": "se", "placement": "identity"}),
        ({"kind": "se", "blocks": (0,)}, {"kind": "se", "blocks": (1,)}),
        ({"select": "reduced"}, {}),
        ({"select": "reduced", "dilations": (1, 1, 1)}, {"dilations": (1, 1)}),
        ({"groups": (16, 8)}, {"groups": (8, 16)}),
    ],
)
def test_another_network(one: dict[str, Any], other: dict[str, Any]) -> None:
    specs = [ArchSpec(backbone="resnext29_16x32d", unit=UnitSpec(**unit)) for unit in (one, other)]
    assert specs[0].key != specs[1].key
    assert built(specs[0]) != built(specs[1])


def test_widths_that_round_to_one_network_share_a_key() -> None:
    keys = [ArchSpec(backbone="mobilenet_v2", width=w).key for w in (1.0, 1.001, 1.1)]
    assert keys[0] == keys[1] != keys[2]


GOLDEN = {
    "plain": (ArchSpec(backbone=SHUFFLE, unit=UnitSpec(kind="none")), "a6f72b2675dd6cff"),
    "sk": (ArchSpec(backbone=SHUFFLE, width=0.5), "a48539637ad26708"),
    "se": (
        ArchSpec(backbone="mobilenet_v2", input_size=32, unit=UnitSpec(kind="se")),
        "e9bb19dd3969044c",
    ),
    "mixed": (
        ArchSpec(
            backbone="mobilenet_v3_small",
            num_classes=10,
            in_channels=1,
            input_size=28,
            stem_stride=1,
            unit=UnitSpec(
                kernel="real",
                dilations=(2, 1),
                branch_act=False,
                stages=((3, UnitOverride(group_width=2)), (5, UnitOverride(kind="se"))),
            ),
        ),
        "370ca147a25e2812",
    ),
}


@pytest.mark.parametrize("name", list(GOLDEN))
def test_keys_stay_what_they_were(name: str) -> None:
    # Runs on disk are keyed by them: a change here makes every old result a stranger.
    spec, key = GOLDEN[name]
    assert spec.key == key


@pytest.mark.integration
def test_key_does_not_depend_on_the_process() -> None:
    code = (
        "import sys; from blocks import ArchSpec;"
        "print(ArchSpec.model_validate_json(sys.argv[1]).key)"
    )
    spec, _ = GOLDEN["mixed"]
    # Another seed of str's hash than this process has.
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    answer = subprocess.run(
        [sys.executable, "-c", code, spec.model_dump_json()],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == spec.key
