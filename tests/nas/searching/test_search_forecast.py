"""Forecasts of final errors, what they are worth, and the networks that are dealt by them."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks import ArchSpec, UnitSpec
from nas.cost import count
from nas.front import hypervolume
from nas.searching.acquisition import LINEAR, Acquisition
from nas.searching.early_stopping import TrialSnapshot
from nas.searching.early_stopping.forecast import LEAST_BEGUN, ForecastRule
from nas.searching.forecast import CandidateRanker
from nas.searching.forecast.expected_improvement import LEVELS, ExpectedImprovement
from nas.searching.forecast.features import features_of
from nas.searching.forecast.model import Forecast, forecast
from nas.searching.searchers import DensitySearcher, ForecastSearcher
from search_spaces import load_space

RUNGS = (1, 3, 9)


@pytest.fixture(scope="module")
def specs() -> dict[str, ArchSpec]:
    space = load_space("quickstart").bind(num_classes=10, in_channels=1, input_size=16)
    return {spec.key: spec for spec in space.enumerate()}


@pytest.fixture(scope="module")
def costs(specs: dict[str, ArchSpec]) -> dict[str, tuple[float, ...]]:
    return {key: (count(spec).mflops,) for key, spec in specs.items()}


def truth(spec: ArchSpec, rung: int) -> float:
    """Slow where there is a ReLU: the order after one epoch is not the last one."""
    unit = spec.unit
    final = 0.3 - 0.04 * (spec.stem_stride == 1) - 0.03 * len(unit.dilations)
    late = (0.3, 0.12, 0.0)[rung] * (2 if unit.branch_act else 1)
    luck = 0.04 * (int(spec.key, 16) % 1000 / 1000 - 0.5)
    return final - 0.05 * unit.branch_act + luck + late


def begun(specs: dict[str, ArchSpec], reached: dict[str, int]) -> list[TrialSnapshot]:
    return [
        TrialSnapshot(
            key, (count(specs[key]).mflops,), tuple(truth(specs[key], r) for r in range(n))
        )
        for key, n in reached.items()
    ]


def test_features_are_standardised_and_tell_networks_apart(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    matrix = features_of(list(specs.values()), list(costs.values()))
    assert matrix.mean(0) == pytest.approx(0, abs=1e-9)
    assert matrix.std(0) == pytest.approx(1)
    assert len(np.unique(matrix.round(9), axis=0)) == len(specs)
    same = features_of([next(iter(specs.values()))] * 2, [(1.0,)] * 2)
    assert same.shape == (2, 0)


def test_blocks_that_are_counted_from_the_end_are_figures_too() -> None:
    """``log1p`` of -1 is endless, and one endless column ends a search."""
    plain = ArchSpec(backbone="shufflenet_v2", width=0.25, input_size=16)
    units = [UnitSpec(blocks=(block,)) for block in (-2, -1, 0, 1)]
    specs = [plain.model_copy(update={"unit": unit}) for unit in units]
    matrix = features_of(specs, [(1.0,)] * 4)
    assert np.isfinite(matrix).all()
    assert len(np.unique(matrix, axis=0)) == 4


def test_a_forecast_learns_who_is_late(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    """Networks seen for one epoch are ranked by their last error, not by the one seen."""
    keys = sorted(specs)
    random.Random(0).shuffle(keys)
    reached = {key: 3 if index < 16 else 1 for index, key in enumerate(keys[:60])}
    rows = {key: row for row, key in enumerate(keys)}
    features = features_of([specs[key] for key in keys], [costs[key] for key in keys])
    predicted = forecast(features, rows, begun(specs, reached), len(RUNGS))
    final = np.array([truth(specs[key], 2) for key in keys])
    unseen = slice(60, None)
    waiting = slice(16, 60)
    first = np.array([truth(specs[key], 0) for key in keys])
    same_increment_for_all = first * (final[:16] / first[:16]).mean()
    for part in (waiting, unseen):
        off = np.abs(predicted.mean[part] - final[part]).mean()
        assert off < 0.015
        assert off < 0.5 * np.abs(same_increment_for_all[part] - final[part]).mean()
    assert (predicted.sd > 0).all()
    assert predicted.sd[:16].mean() < predicted.sd[unseen].mean()


def test_a_forecast_listens_to_the_losses(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    """Where early errors are all alike and early losses are not, those tell the end."""
    keys = sorted(specs)
    random.Random(0).shuffle(keys)
    luck = {key: (int(key, 16) % 997) / 997 - 0.5 for key in keys}
    final = {key: 0.3 * math.exp(0.4 * luck[key]) for key in keys}
    ended = set(keys[:14])

    def snapshot(key: str, *, told: bool) -> TrialSnapshot:
        errors = (0.9, 0.6, final[key]) if key in ended else (0.9, 0.6)
        early = 2.0 * math.exp(0.2 * luck[key]) if told else 2.0
        return TrialSnapshot(key, costs[key], errors, (2.2, early, 1.5)[: len(errors)])

    rows = {key: row for row, key in enumerate(keys)}
    features = features_of([specs[key] for key in keys], [costs[key] for key in keys])
    off = {}
    for told in (True, False):
        begun = [snapshot(key, told=told) for key in keys[:50]]
        predicted = forecast(features, rows, begun, len(RUNGS)).mean[14:50]
        off[told] = np.abs(predicted - [final[key] for key in keys[14:50]]).mean()
    assert off[True] < 0.5 * off[False]


@given(
    known=st.lists(st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.95)), max_size=6),
    error=st.floats(0.01, 0.95),
    cost=st.floats(0, 1),
)
def test_the_improvement_of_a_certain_network_is_that_of_the_hypervolume(
    known: list[tuple[float, float]], error: float, cost: float
) -> None:
    table = np.array([[c] for _, c in known] + [[cost]])
    errors = np.array([e for e, _ in known])
    expected_improvement = ExpectedImprovement.over(table, range(len(known)), errors, worst=1.0)
    certain = Forecast(np.array([error]), np.array([1e-9]), np.zeros(1))
    growth = expected_improvement.improvement(table[-1:], certain)[0]
    before = hypervolume(known, (1.0, 1.0))
    after = hypervolume([*known, (error, cost)], (1.0, 1.0))
    assert growth == pytest.approx(after - before, abs=2 / LEVELS * (len(known) + 1))


@given(
    mean=st.floats(-9, 0), sd=st.floats(0.01, 3), least=st.floats(-6, 0), floor=st.floats(-9, -6)
)
def test_what_falls_below_the_floor_is_worth_no_more_than_the_floor(
    mean: float, sd: float, least: float, floor: float
) -> None:
    costs = np.zeros((1, 1))
    uncertain = Forecast(np.array([mean]), np.array([sd]), np.zeros(1))
    known = np.array([least])
    bounded = ExpectedImprovement.over(costs, [0], known, 0.0, floor)
    without = ExpectedImprovement.over(costs, [0], known, 0.0)
    growth, free = (one.improvement(costs, uncertain)[0] for one in (bounded, without))
    assert -1e-9 <= growth <= min(free, least - floor) + 1e-9


def test_the_improvement_is_an_expectation() -> None:
    rng = np.random.default_rng(0)
    costs = np.array([[0.2, 0.3], [0.6, 0.1], [0.4, 0.4]])
    expected_improvement = ExpectedImprovement.over(costs, [0, 1], np.array([0.5, 0.3]), worst=1.0)
    drawn = rng.normal(0.4, 0.1, 4000)
    mean = np.mean(
        [
            expected_improvement.improvement(
                costs[2:], Forecast(np.array([e]), np.array([1e-9]), np.zeros(1))
            )[0]
            for e in drawn
        ]
    )
    predicted = Forecast(np.array([0.4]), np.array([0.1]), np.zeros(1))
    assert expected_improvement.improvement(costs[2:], predicted)[0] == pytest.approx(
        mean, rel=0.05
    )


def test_no_cost_objective_and_a_space_of_one_network_are_no_trouble() -> None:
    space = load_space("quickstart").bind(num_classes=10, in_channels=1, input_size=16)
    some = [space.sample(random.Random(seed)) for seed in range(4)]
    specs = {spec.key: spec for spec in some}
    candidate_ranker = CandidateRanker(specs, dict.fromkeys(specs, ()), RUNGS)
    seen = [TrialSnapshot(key, (), (0.5,)) for key in specs]
    assert {one.key for one in candidate_ranker.ranked_candidates(seen)} == set(specs)
    alone = {some[0].key: some[0]}
    assert (
        CandidateRanker(alone, {some[0].key: (1.0,)}, RUNGS).ranked_candidates([])[0].key
        == some[0].key
    )


def test_prospects_do_not_depend_on_the_order_of_arrival(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    reached = {key: 1 + index % 3 for index, key in enumerate(sorted(specs)[::5])}
    standing = begun(specs, reached)
    forwards = CandidateRanker(specs, costs, RUNGS).ranked_candidates(standing)
    backwards = CandidateRanker(specs, costs, RUNGS).ranked_candidates(standing[::-1])
    assert forwards == backwards
    in_full = {key for key, rung in reached.items() if rung == 3}
    assert {one.key for one in forwards} == set(specs) - in_full


def test_the_unit_of_the_error_makes_no_difference(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    standing = begun(specs, {key: 1 + index % 3 for index, key in enumerate(sorted(specs)[::5])})
    dear = [replace(one, errors=tuple(64 * error for error in one.errors)) for one in standing]
    plain = CandidateRanker(specs, costs, RUNGS).ranked_candidates(standing)
    assert CandidateRanker(specs, costs, RUNGS, worst=64).ranked_candidates(dear) == plain


def ranked(
    specs: dict[str, ArchSpec],
    costs: dict[str, tuple[float, ...]],
    errors: dict[str, float],
    acquisition: Acquisition,
) -> dict[str, float]:
    """What each network is worth, the most valuable first."""
    standing = [TrialSnapshot(key, costs[key], (error,)) for key, error in errors.items()]
    ranker = CandidateRanker(specs, costs, (1,), acquisition=acquisition)
    return {one.key: one.growth for one in ranker.ranked_candidates(standing)}


def test_on_logarithms_dear_networks_of_small_errors_count(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    """Errors of 2 to 50 %: on the linear scale the poor and cheap ones have nearly all of the area."""
    by_cost = sorted(specs, key=lambda key: (costs[key], key))
    errors = {key: 0.5 * 0.04 ** (rank / 95) for rank, key in enumerate(by_cost)}
    seen = {key: errors[key] for key in by_cost[::12]}
    shares = []
    for acquisition in (Acquisition(), LINEAR):
        worth = ranked(specs, costs, seen, acquisition)
        dear = sum(worth.get(key, 0.0) for key in by_cost[48:])
        shares.append(dear / sum(worth.values()))
    assert shares[0] > 1.5 * shares[1]


def test_errors_of_nothing_can_be_weighed(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    seen = dict.fromkeys(sorted(specs)[:8], 0.0)
    for acquisition in (Acquisition(), Acquisition(images=200), LINEAR):
        order = ranked(specs, costs, seen, acquisition)
        assert sorted(order) == sorted(set(specs) - set(seen))


def test_a_lucky_error_of_few_images_does_not_end_the_search_at_its_cost(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    """One misclassified image less of a hundred says little, of ten thousand much."""
    by_cost = sorted(specs, key=lambda key: (costs[key], key))
    seen = dict.fromkeys(by_cost[::6], 0.04)
    seen[by_cost[0]] = 0.01
    standing = [TrialSnapshot(key, costs[key], (error,)) for key, error in seen.items()]
    best = {
        images: CandidateRanker(specs, costs, (1,), acquisition=Acquisition(images=images))
        .ranked_candidates(standing)[0]
        .growth
        for images in (100, 10_000)
    }
    assert best[100] > best[10_000]


def test_costs_without_a_logarithm_are_taken_as_they_are(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    debts: dict[str, tuple[float, ...]] = {
        key: (costs[key][0], -costs[key][0], 0.0) for key in specs
    }
    order = ranked(specs, debts, dict.fromkeys(sorted(specs)[:6], 0.3), Acquisition())
    assert len(order) == len(specs) - 6


def test_the_rule_begins_some_before_any_goes_on_and_then_finishes_what_it_can(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    rule = ForecastRule(CandidateRanker(specs, costs, RUNGS), RUNGS[-1])
    few = begun(specs, dict.fromkeys(sorted(specs)[: LEAST_BEGUN - 1], 1))
    assert rule.promote(few, None, closing=False) is None
    assert rule.promote(few, None, closing=True) in {one.key for one in few}
    # Not enough epochs are left to finish any of them.
    assert rule.promote(few, 7, closing=False) is None
    assert rule.promote(few, 8, closing=False) is not None


def test_the_last_epochs_of_a_search_go_to_what_waits_however_little_they_bring(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    cheapest = min(costs, key=lambda key: (costs[key], key))
    hopeless = max(costs, key=lambda key: (costs[key], key))
    known = [key for key in sorted(specs)[:6] if key not in (cheapest, hopeless)]
    standing = begun(specs, dict.fromkeys(known, 3))
    standing.append(TrialSnapshot(cheapest, costs[cheapest], (0.02, 0.011, 0.01)))
    standing.append(TrialSnapshot(hopeless, costs[hopeless], (0.9, 0.9)))
    rule = ForecastRule(CandidateRanker(specs, costs, RUNGS), RUNGS[-1])
    assert rule.promote(standing, None, closing=True) is None
    assert rule.promote(standing, 8, closing=False) == hopeless


def test_a_dominating_newcomer_goes_on_under_a_forecast(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    cheapest = min(costs, key=lambda key: (costs[key], key))
    others = [key for key in sorted(specs)[::7] if key != cheapest]
    standing = begun(specs, dict.fromkeys(others, 2))
    standing.append(TrialSnapshot(cheapest, costs[cheapest], (0.05, 0.02)))
    rule = ForecastRule(CandidateRanker(specs, costs, RUNGS), RUNGS[-1])
    assert rule.promote(standing, None, closing=False) == cheapest


def test_density_covers_all_costs_alike(costs: dict[str, tuple[float, ...]]) -> None:
    """The space has two clumps of cost, of very different sizes when one is thinned out."""
    keys = sorted(costs, key=lambda key: costs[key])
    middle = (costs[keys[0]][0] * costs[keys[-1]][0]) ** 0.5
    cheap = [key for key in keys if costs[key][0] < middle]
    dear = [key for key in keys if costs[key][0] >= middle]
    few = {key: costs[key] for key in [*cheap, *dear[:4]]}
    from_dear = 0
    for seed in range(40):
        searcher, standing = DensitySearcher(few, seed), list[TrialSnapshot]()
        for _ in range(4):
            left = [key for key in few if key not in {one.key for one in standing}]
            key = next(searcher.suggest(left, standing))
            standing.append(TrialSnapshot(key, few[key], (0.5,)))
        from_dear += sum(one.key in dear for one in standing)
    assert from_dear > 40  # four of some fifty: a draw from the space would give about 12


def test_dealers_repeat_themselves_and_never_deal_what_is_gone(
    specs: dict[str, ArchSpec], costs: dict[str, tuple[float, ...]]
) -> None:
    density = DensitySearcher(costs, 3)
    searcher = ForecastSearcher(CandidateRanker(specs, costs, RUNGS), density)
    standing = begun(specs, dict.fromkeys(sorted(specs)[:10], 1))
    left = sorted(specs)[10:]
    for one in (density, searcher):
        dealt = list(one.suggest(left, standing))
        assert dealt == list(one.suggest(left[::-1], standing[::-1]))
        assert sorted(dealt) == left
    assert list(density.suggest([], standing)) == []
