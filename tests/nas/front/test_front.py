from __future__ import annotations

import json
import math
import random as random_module
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks import ArchSpec, InvalidInput, UnitSpec
from nas.cost import Budgets
from nas.front import Front, hypervolume, make_front, pick_knee, pick_within
from nas.runs import TrialRecord, TrialState

SPEC = ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=10, input_size=32, stem_stride=1)
figures = st.floats(0, 1, width=16)
points = st.lists(st.tuples(figures, figures), max_size=12)
points3 = st.lists(st.tuples(figures, figures, figures), min_size=1, max_size=8)


def records(values: Sequence[tuple[float, ...]]) -> list[TrialRecord]:
    return [
        TrialRecord(number, f"key{number}", SPEC, TrialState.TRAINED, one)
        for number, one in enumerate(values)
    ]


def front_of(values: Sequence[tuple[float, ...]]) -> Front:
    count = len(values[0]) if values else 2
    objectives = ("error", "mflops", "params")[:count]
    return make_front(records(values), objectives, (1.0,) * count)


@given(points)
def test_front_is_what_nothing_dominates(values: list[tuple[float, ...]]) -> None:
    kept = {point.trial for point in front_of(values).points}
    for number, (error, cost) in enumerate(values):
        beaten = any(e <= error and c <= cost and (e, c) != (error, cost) for e, c in values)
        assert (number in kept) == (not beaten)


@given(points, st.randoms())
def test_front_does_not_depend_on_the_order_of_arrival(
    values: list[tuple[float, ...]], random: random_module.Random
) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert sorted(p.values for p in front_of(values).points) == sorted(
        p.values for p in front_of(shuffled).points
    )


def test_equal_figures_of_different_networks_all_stay() -> None:
    assert [p.trial for p in front_of([(0.5, 0.5), (0.5, 0.5)]).points] == [0, 1]


def test_only_trained_trials_with_finite_figures_count() -> None:
    extra = [
        TrialRecord(0, "a", SPEC, TrialState.TRAINED, (0.9, 0.9)),
        TrialRecord(1, "b", SPEC, TrialState.TRAINED, (math.nan, 0.1)),
        TrialRecord(2, "a", SPEC, TrialState.DUPLICATE, (0.9, 0.9)),
        TrialRecord(3, "c", SPEC, TrialState.FAILED),
        TrialRecord(4, "d", SPEC, TrialState.INFEASIBLE),
        TrialRecord(5, "e", SPEC, TrialState.RUNNING),
    ]
    front = make_front(extra, ("error", "mflops"), (1.0, 1.0))
    assert [point.trial for point in front.points] == [0]


@given(points)
def test_hypervolume_of_two_objectives_is_the_area(values: list[tuple[float, ...]]) -> None:
    # Exact: half precision draws lie on a grid that the cells between all drawn figures respect.
    xs = sorted({0.0, 1.0, *(x for x, _ in values)})
    ys = sorted({0.0, 1.0, *(y for _, y in values)})
    area = sum(
        (x1 - x0) * (y1 - y0)
        for x0, x1 in pairwise(xs)
        for y0, y1 in pairwise(ys)
        if any(x <= x0 and y <= y0 for x, y in values)
    )
    assert hypervolume(values, (1.0, 1.0)) == pytest.approx(area)


@given(points3, st.tuples(*[st.floats(0.5, 1e9)] * 3))
def test_hypervolume_does_not_depend_on_units(
    values: list[tuple[float, ...]], units: tuple[float, ...]
) -> None:
    scaled = [tuple(v * u for v, u in zip(one, units, strict=True)) for one in values]
    assert hypervolume(scaled, units) == pytest.approx(hypervolume(values, (1.0,) * 3))


@given(points3, st.tuples(figures, figures, figures))
def test_hypervolume_never_shrinks_with_more_points(
    values: list[tuple[float, ...]], more: tuple[float, ...]
) -> None:
    before = hypervolume(values, (1.0,) * 3)
    assert hypervolume([*values, more], (1.0,) * 3) >= before - 1e-12


def test_a_point_beyond_the_reference_does_not_count() -> None:
    assert hypervolume([(2.0, 0.5)], (1.0, 1.0)) == 0.0
    assert hypervolume([], (1.0, 1.0)) == 0.0


def test_knee_is_the_point_farthest_below_the_chord() -> None:
    values = [(0.9, 0.1), (0.3, 0.2), (0.25, 0.6), (0.2, 1.0)]
    assert pick_knee(front_of(values)).trial == 1


@given(points.filter(bool), st.floats(0.1, 1e6), st.floats(0.1, 1e6))
def test_knee_does_not_depend_on_units(
    values: list[tuple[float, ...]], first: float, second: float
) -> None:
    knee = pick_knee(front_of(values))
    scaled = pick_knee(front_of([(e * first, c * second) for e, c in values]))
    # Ties may fall either way in the last bit; the picked heights must agree.
    front = front_of(values)
    spans = [
        (min(c), max(c) - min(c) or 1) for c in zip(*(p.values for p in front.points), strict=True)
    ]

    def height(trial: int) -> float:
        point = zip(values[trial], spans, strict=True)
        return math.fsum((value - low) / span for value, (low, span) in point)

    assert height(knee.trial) == pytest.approx(height(scaled.trial), abs=1e-6)


@pytest.mark.parametrize("objectives", [("error", "mflops"), ("mflops", "error")])
def test_of_equal_knees_the_cheapest_is_taken(objectives: tuple[str, ...]) -> None:
    points = {0: {"error": 0.0, "mflops": 1.0}, 1: {"error": 1.0, "mflops": 0.0}}
    values = [
        TrialRecord(number, str(number), SPEC, TrialState.TRAINED, tuple(p[o] for o in objectives))
        for number, p in points.items()
    ]
    front = make_front(values, objectives, (1.0, 1.0))
    assert [point.trial for point in front.points] == [1, 0]
    assert pick_knee(front).trial == 1


def test_knee_of_an_empty_front_says_so() -> None:
    with pytest.raises(InvalidInput, match="no trial of this run has been trained"):
        pick_knee(front_of([]))


def test_pick_within_budgets_is_the_best_that_fits() -> None:
    small, large = SPEC, SPEC.model_copy(update={"width": 1.0})
    front = make_front(
        [
            TrialRecord(0, "s", small, TrialState.TRAINED, (0.2, 10.0)),
            TrialRecord(1, "l", large, TrialState.TRAINED, (0.1, 30.0)),
        ],
        ("error", "mflops"),
        (1.0, 100.0),
    )
    assert pick_within(front, Budgets(max_mflops=1000.0)).trial == 1
    assert pick_within(front, Budgets(max_mflops=20.0)).trial == 0
    with pytest.raises(InvalidInput, match=r"no point of the front keeps max_mflops 0\.1"):
        pick_within(front, Budgets(max_mflops=0.1))


def test_pareto_json_has_the_documented_fields() -> None:
    unit = UnitSpec(dilations=(1, 3))
    spec = SPEC.model_copy(update={"unit": unit})
    record = TrialRecord(7, spec.key, spec, TrialState.TRAINED, (0.25, 0.5))
    document = json.loads(make_front([record], ("error", "mflops"), (1.0, 1.0)).to_json())
    assert set(document) == {"objectives", "reference", "hypervolume", "knee", "front"}
    assert document["reference"] == [1.0, 1.0]
    assert document["objectives"] == ["error", "mflops"]
    assert document["hypervolume"] == pytest.approx(0.75 * 0.5)
    (point,) = document["front"]
    assert set(point) == {"trial", "key", "values", "arch"}
    assert point["values"] == {"error": 0.25, "mflops": 0.5}
    assert ArchSpec.model_validate(point["arch"]).key == spec.key


def test_the_file_names_the_knee() -> None:
    front = front_of([(0.9, 0.1), (0.2, 0.2), (0.1, 0.9)])
    assert json.loads(front.to_json())["knee"] == 1 == pick_knee(front).trial
    assert json.loads(front_of([]).to_json())["knee"] is None


@given(points3)
def test_within_a_budget_nothing_trained_is_better(values: list[tuple[float, ...]]) -> None:
    front = front_of(values)
    for one in front.best_within():
        place = front.objectives.index(one.cost)
        least = min(value[0] for value in values if value[place] <= one.budget)
        assert one.error == one.point.values[0] == least
        assert one.point.values[place] <= one.budget


def test_budgets_reach_over_the_whole_front() -> None:
    best = front_of([(0.5, 1.0), (0.25, 3.0), (0.1, 100.0)]).best_within()
    assert {one.cost for one in best} == {"mflops"}
    assert (len(best), best[0].budget, best[-1].budget) == (12, 1.0, 100.0)
    assert [one.error for one in best] == sorted((one.error for one in best), reverse=True)
    assert {one.error for one in best} == {0.5, 0.25, 0.1}


def test_there_is_no_best_error_of_nothing_and_without_an_error() -> None:
    assert front_of([]).best_within() == ()
    (only,) = front_of([(0.5, 2.0)]).best_within()
    assert (only.budget, only.point.trial) == (2.0, 0)
    costs = make_front(records([(1.0, 2.0)]), ("mflops", "params"), (9.0, 9.0))
    assert costs.best_within() == ()
