"""Intervals, differences and membership of the front from a few trainings; and what is trained next."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nas.searching.confirm.choice import next_trainings
from nas.searching.confirm.estimates import Estimates, Trainings
from nas.searching.confirm.stored import mean_error

ERRORS = st.floats(0.0, 1.0)
NETWORKS = st.lists(
    st.tuples(st.lists(ERRORS, min_size=1, max_size=4), st.integers(1, 5)), min_size=1, max_size=6
)
Networks = list[tuple[list[float], int]]


def estimates_of(networks: Networks, images: int | None = 500) -> Estimates:
    return Estimates({at: Trainings(tuple(one)) for at, (one, _) in enumerate(networks)}, images)


def costs_of(networks: Networks) -> dict[int, tuple[float]]:
    return {at: (float(cost),) for at, (_, cost) in enumerate(networks)}


def answers(rng: np.random.Generator, rates: NDArray[np.float64], seeds: int) -> NDArray[np.bool_]:
    """Answers of some seeds on images of which each is right at its own rate."""
    return rng.random((seeds, len(rates))) < rates


@given(NETWORKS, st.sampled_from([None, 1, 288, 50_000]))
def test_an_interval_holds_its_mean_and_stays_in_range(
    networks: Networks, images: int | None
) -> None:
    found = estimates_of(networks, images)
    for at, (errors, _) in enumerate(networks):
        rate = found.interval(at)
        assert rate.value == pytest.approx(np.mean(errors))
        assert 0 <= rate.low <= rate.value + 1e-12
        assert rate.value - 1e-12 <= rate.high <= 1


@given(NETWORKS)
def test_a_difference_is_that_of_the_other_with_the_other_sign(networks: Networks) -> None:
    found = estimates_of(networks)
    for a in found.networks:
        for b in found.networks:
            one, other = found.difference(a, b), found.difference(b, a)
            assert (one.value, one.low, one.high) == pytest.approx(
                (-other.value, -other.high, -other.low)
            )
            assert not (found.better(a, b) and found.better(b, a))


@given(NETWORKS)
def test_membership_is_a_probability_and_that_of_the_cheapest_is_one(networks: Networks) -> None:
    costs = costs_of(networks)
    found = estimates_of(networks).on_front(costs)
    assert all(0 <= share <= 1 for share in found.values())
    least = min(costs.values())
    cheapest = [at for at, cost in costs.items() if cost == least]
    if len(cheapest) == 1:
        assert found[cheapest[0]] == 1
    assert found == estimates_of(networks).on_front(costs)


@given(st.floats(0.05, 0.5), st.integers(2, 20), st.integers(100, 10_000))
def test_more_trainings_of_the_same_spread_say_more(error: float, count: int, images: int) -> None:
    few = Estimates({0: Trainings((error - 0.01, error + 0.01))}, images)
    many = Estimates({0: Trainings((error - 0.01, error + 0.01) * count)}, images)
    narrow, wide = many.interval(0), few.interval(0)
    assert narrow.high - narrow.low < wide.high - wide.low


@given(st.floats(0.02, 0.5))
def test_equal_errors_are_never_told_apart(error: float) -> None:
    same = Trainings((error, error, error))
    found = Estimates({0: same, 1: same}, 1000)
    assert not found.better(0, 1)
    assert found.difference(0, 1).overlaps(0.0)


def test_networks_that_err_on_the_same_images_are_told_apart_sooner() -> None:
    """The part of the images is that of the difference, not of the two errors."""
    rng = np.random.default_rng(1)
    hard = np.where(np.arange(1000) < 200, 0.0, 1.0)
    worse = hard.copy()
    worse[200:230] = 0.0
    alike = {0: answers(rng, hard, 3), 1: answers(rng, worse, 3)}
    found = Estimates(
        {at: Trainings(tuple(1 - one.mean(1)), one) for at, one in alike.items()}, 1000
    )
    assert found.better(0, 1)
    shuffled = alike[1][:, rng.permutation(1000)]
    alone = Estimates(
        {
            0: Trainings(tuple(1 - alike[0].mean(1)), alike[0]),
            1: Trainings(tuple(1 - shuffled.mean(1)), shuffled),
        },
        1000,
    )
    assert alone.difference(0, 1).value == pytest.approx(found.difference(0, 1).value)
    assert not alone.better(0, 1)


def test_four_images_are_not_enough() -> None:
    """All four images on which two networks differ speak for one: as four coins do once in eight."""
    right = np.ones((2, 1000), bool)
    wrong = right.copy()
    wrong[:, :4] = False
    found = Estimates({0: Trainings((0.0, 0.0), right), 1: Trainings((0.004, 0.004), wrong)}, 1000)
    assert not found.better(0, 1)


@pytest.mark.parametrize("by_image", [False, True])
def test_statements_hold(by_image: bool) -> None:
    """Of pairs of networks that nearly are alike at least 95 % of what is said is right."""
    rng = np.random.default_rng(0)
    images, said, right = 400, 0, 0
    for _ in range(150):
        base = rng.beta(4, 1, images)
        networks, truth = {}, []
        for at in range(6):
            rates = np.clip(base + rng.normal(0, 0.03), 0, 1)
            # Another seed is another network: it shifts all images a little.
            shifts = rng.normal(0, 0.01, 3)
            table = np.stack([answers(rng, np.clip(rates + one, 0, 1), 1)[0] for one in shifts])
            networks[at] = Trainings(tuple(1 - table.mean(1)), table if by_image else None)
            truth.append(1 - rates.mean())
        found = Estimates(networks, images)
        for a, b in pairwise(range(6)):
            if found.better(a, b) or found.better(b, a):
                said += 1
                right += found.better(a, b) == (truth[a] < truth[b])
    assert said > 100
    assert right / said >= 0.95


@given(NETWORKS, st.integers(1, 6))
def test_the_choice_is_a_function_of_what_is_known(networks: Networks, count: int) -> None:
    found, costs = estimates_of(networks), costs_of(networks)
    front = [at for at, share in found.on_front(costs).items() if share > 0.5]
    chosen = next_trainings(found, costs, front, count)
    assert chosen == next_trainings(estimates_of(networks), costs, front, count)
    assert len(chosen) <= count
    assert set(chosen) <= set(costs)
    once = [at for at in front if len(networks[at][0]) == 1]
    assert set(chosen) >= set(once) or len(chosen) == count
    closed = chosen[:1]
    assert not set(closed) & set(next_trainings(found, costs, front, count, closed))


def test_what_is_decided_is_not_trained_again() -> None:
    networks: Networks = [([0.30, 0.31], 1), ([0.10, 0.11], 2), ([0.60, 0.61], 2)]
    assert next_trainings(estimates_of(networks, 10_000), costs_of(networks), [0, 1], 4) == []


def test_the_doubtful_network_or_its_rival_is_trained() -> None:
    networks: Networks = [([0.20, 0.20], 1), ([0.199, 0.199], 2), ([0.02, 0.02], 3)]
    chosen = next_trainings(estimates_of(networks, 10_000), costs_of(networks), [0, 1, 2], 4)
    assert len(chosen) == 4
    assert set(chosen) == {0, 1}


def test_images_that_are_too_few_end_the_trainings() -> None:
    """No number of seeds tells networks apart that differ on two of twenty images."""
    right = np.ones((40, 20), bool)
    right[:, :4] = False
    other = right.copy()
    other[:, 4] = False
    other[:, 0] = True
    other[:, 5] = False
    networks = {at: Trainings(tuple(1 - one.mean(1)), one) for at, one in enumerate([other, right])}
    found = Estimates(networks, 20)
    assert next_trainings(found, {0: (1.0,), 1: (2.0,)}, [0, 1], 4) == []


def test_other_metrics_have_intervals_of_seeds_alone() -> None:
    costs = Estimates({0: Trainings((2.0, 2.2, 2.1))}, 1000, shares=False, worst=5.0)
    few = Estimates({0: Trainings((2.0, 2.2, 2.1))}, None, shares=False, worst=5.0)
    assert 1.8 < costs.interval(0).low < costs.interval(0).high < 2.4
    assert few.interval(0).value == pytest.approx(2.1)


def test_as_many_mistakes_are_the_same_mean_error_however_they_were_rounded() -> None:
    counts = [((259, 259), (258, 260)), ((100, 101, 102), (101, 101, 101)), ((1, 2), (0, 3))]
    for one, other in counts:
        means = {mean_error([round(n / 288, 7) for n in some], 288) for some in (one, other)}
        assert means == {sum(one) / len(one) / 288}
    assert mean_error([0.12345, 0.2], 288) == pytest.approx(0.161725)  # no shares of these images
    assert mean_error([0.1, 0.2], None) == pytest.approx(0.15)
