"""Points lost at budgets, and the budgets themselves."""

from __future__ import annotations

import math
import random as random_module
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.front.budgets import DOZEN, Found, log_budgets, points_lost, readable_budgets

errors = st.floats(0, 1, width=16)
networks = st.lists(st.tuples(st.floats(0.5, 100), errors), min_size=1, max_size=12)
BUDGETS = log_budgets(0.5, 100)


def certain(some: list[tuple[float, float]]) -> list[Found]:
    return [Found(cost, error, error) for cost, error in some]


@given(networks)
def test_who_has_trained_all_loses_nothing(there: list[tuple[float, float]]) -> None:
    assert points_lost(certain(there), there, [200.0]) == 0
    assert points_lost(certain(there), there, BUDGETS) == 0


@given(networks, st.data())
def test_a_further_network_never_costs_points(
    there: list[tuple[float, float]], data: st.DataObject
) -> None:
    some = data.draw(st.lists(st.sampled_from(there)))
    more = [*some, data.draw(st.sampled_from(there))]
    before, after = (points_lost(certain(one), there, BUDGETS) for one in (some, more))
    assert 0 <= after <= before <= 100


@given(networks, st.randoms())
def test_the_order_of_the_trainings_is_no_matter(
    there: list[tuple[float, float]], random: random_module.Random
) -> None:
    some = certain(there[::2])
    shuffled = list(some)
    random.shuffle(shuffled)
    assert points_lost(some, there, BUDGETS) == points_lost(shuffled, there, BUDGETS)


@given(networks)
def test_points_follow_the_scale_of_the_errors(there: list[tuple[float, float]]) -> None:
    half = [(cost, error / 2) for cost, error in there]
    some = there[::3]
    whole = points_lost(certain(some), there, BUDGETS)
    scaled = points_lost(certain([(c, e / 2) for c, e in some]), half, BUDGETS, nothing=0.5)
    assert scaled == pytest.approx(whole / 2)


def test_a_network_is_picked_by_what_is_shown_and_judged_by_what_is_true() -> None:
    there = [(1.0, 0.3), (2.0, 0.1)]
    lucky = [Found(1.0, 0.05, 0.3), Found(2.0, 0.12, 0.1)]
    assert points_lost(lucky, there, [2.0]) == pytest.approx(20)


def test_a_budget_within_which_there_is_nothing_does_not_count() -> None:
    assert points_lost([], [(2.0, 0.25)], [1.0, 2.0]) == pytest.approx(75)
    assert math.isnan(points_lost([], [(2.0, 0.25)], [1.0]))


@given(st.floats(1e-3, 1e6), st.floats(1, 1e6), st.integers(2, 20))
def test_budgets_reach_from_end_to_end_in_equal_steps(
    least: float, factor: float, count: int
) -> None:
    budgets = log_budgets(least, least * factor, count)
    assert (budgets[0], budgets[-1]) == (least, least * factor)
    if len(budgets) > 2:
        steps = [b / a for a, b in pairwise(budgets)]
        assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-6)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_readable_budgets_leave_nobody_out(least: float, span: float) -> None:
    budgets = readable_budgets(least, least + span)
    assert 1 <= len(budgets) <= DOZEN
    assert list(budgets) == sorted(set(budgets))
    assert budgets[0] >= least - 1e-9 * abs(least)
    assert budgets[-1] >= (least + span) - 1e-9 * abs(least + span)


def test_readable_budgets_have_three_digits() -> None:
    assert readable_budgets(0.663328, 3.76192, 3) == (0.664, 1.58, 3.77)
    assert readable_budgets(5, 5) == (5,)
    assert readable_budgets(0, 10, 3) == (0, 5, 10)
