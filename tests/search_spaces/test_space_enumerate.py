"""Size and enumeration, against brute force over all parameters."""

from __future__ import annotations

import itertools

import pytest
from optuna.distributions import CategoricalDistribution

from blocks import InvalidInput
from search_spaces import SearchSpace, load_space
from tests.search_spaces.space_helpers import SMALL, space_of

# No two assignments of these come to one network: widths divide, and d = 96 // r at the least.
EXACT = """
name: exact
fixed: {backbone: shufflenet_v2, width: 0.5, unit.min_dim: 1}
vary:
  unit.kernel: {choice: [dilated, real]}
  unit.dilations: {choice: [[1, 2], [1, 3], [2, 3]]}
  unit.group_width: {choice: [1, 2, 4]}
  unit.reduction: {int: [2, 6], step: 2, when: {unit.kernel: real}}
  unit.branch_act: {choice: [true, false], when: {unit.reduction: {max: 5}}}
"""


def brute_force(space: SearchSpace) -> set[str]:
    """Keys of all combinations of all parameters, in force or not."""
    found = space.distributions()
    assert all(isinstance(one, CategoricalDistribution) for one in found.values())
    combinations = itertools.product(*(one.choices for one in found.values()))  # type: ignore[attr-defined]
    return {space.from_params(dict(zip(found, chosen, strict=True))).key for chosen in combinations}


@pytest.mark.parametrize("name", ["quickstart", "table4"])
def test_enumeration_is_what_all_parameters_reach(name: str) -> None:
    space = load_space(name).bind(**SMALL)
    keys = [spec.key for spec in space.enumerate()]
    assert len(set(keys)) == len(keys)
    assert set(keys) == brute_force(space)


@pytest.mark.parametrize("name", ["quickstart", "shufflenet_v2_sk"])
def test_enumeration_is_repeatable_and_never_larger_than_size(name: str) -> None:
    space = load_space(name).bind(**SMALL)
    keys = [spec.key for spec in space.enumerate()]
    assert keys == [spec.key for spec in space.enumerate()]
    size = space.size()
    assert size is not None
    assert len(set(keys)) == len(keys) < size


def test_size_is_exact_where_nothing_is_rounded_or_idle() -> None:
    space = space_of(EXACT)
    # dilated: reduction is not in force, but its default 16 is, so branch_act is not.
    # real: 2 and 4 leave branch_act free, 6 does not.
    expected = 3 * 3 * (1 + 2 * 2 + 1)
    assert space.size() == expected
    assert len(list(space.enumerate())) == expected


def test_size_of_a_space_too_large_to_walk() -> None:
    stages = "".join(
        f"  unit.stages.{stage}.{field}: {{int: [1, 100]}}\n"
        for stage in (2, 3, 4)
        for field in ("reduction", "min_dim")
    )
    space = space_of(f"name: large\nfixed: {{backbone: shufflenet_v2}}\nvary:\n{stages}")
    assert space.size() == 100**6


def test_a_range_without_step_is_endless() -> None:
    space = space_of("name: x\nfixed: {backbone: mobilenet_v2}\nvary: {width: {float: [0.5, 1]}}")
    assert space.size() is None
    with pytest.raises(InvalidInput, match=r"float: \[0.5, 1\] without step is continuous"):
        space.enumerate()


def test_an_endless_range_out_of_force_does_not_matter() -> None:
    text = """
    name: x
    fixed: {backbone: mobilenet_v2}
    vary:
      width: {float: [0.5, 1.0], when: {input_size: {min: 100}}}
      unit.kind: {choice: [none, sk]}
    """
    assert space_of(text).size() == 2
    assert space_of(text, input_size=128).size() is None


def test_a_space_that_varies_nothing_holds_one_network() -> None:
    assert space_of("name: one\nfixed: {backbone: shufflenet_v2}\nvary:\n").size() == 1
