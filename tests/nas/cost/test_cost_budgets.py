from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks import ArchSpec, InvalidInput
from blocks.yaml_files import parse
from nas.cost import COSTS, LATENCY, NPU, Budgets

SPEC = ArchSpec(backbone="shufflenet_v2", width=0.5, input_size=32)
VALUES = {name: float(COSTS[name](SPEC)) for name in COSTS}
factors = st.none() | st.floats(0.01, 100) | st.just(1.0)


@settings(deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(VALUES, factors)))
def test_violations_are_exactly_the_limits_below_the_cost(
    factor: dict[str, float | None],
) -> None:
    limits = {name: VALUES[name] * f for name, f in factor.items() if f is not None}
    budgets = Budgets(**{f"max_{name}": limit for name, limit in limits.items()})
    violations = budgets.violations(SPEC)

    over = [name for name in VALUES if name in limits and VALUES[name] > limits[name]]
    assert [violation.cost for violation in violations] == over
    assert budgets.fits(SPEC) == (not over)
    assert budgets.is_empty == (not limits)
    for violation in violations:
        assert violation.value == VALUES[violation.cost]
        assert violation.limit == limits[violation.cost]
        assert violation.excess > 0
        assert violation.limit * (1 + violation.excess) == pytest.approx(violation.value)


def test_a_limit_is_inclusive() -> None:
    assert Budgets(max_params=VALUES["params"]).fits(SPEC)
    assert not Budgets(max_params=VALUES["params"] - 1).fits(SPEC)


def test_every_cost_can_be_bounded_and_every_bound_is_of_a_cost() -> None:
    assert {f"max_{name}" for name in (*COSTS, LATENCY, NPU)} == set(Budgets.model_fields)


@pytest.mark.parametrize("value", [0, -1.5, float("inf"), float("nan"), "40", True, [1]])
def test_refuses_what_is_no_limit(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^search\.yaml: max_mflops: ") as caught:
        parse(Budgets, {"max_mflops": value}, "search.yaml")
    assert "\n" not in str(caught.value)


def test_refuses_unknown_fields_and_stays_as_it_is() -> None:
    with pytest.raises(InvalidInput, match="least_flops: unknown field; allowed: max_mflops, "):
        parse(Budgets, {"least_flops": 3}, "search.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        Budgets().max_params = 3
    assert hash(Budgets(max_params=3)) == hash(Budgets(max_params=3))
