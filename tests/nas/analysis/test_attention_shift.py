from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from nas.analysis import Attention, UnitAttention, paired_shift, sentence, stage_shifts, unit_shifts
from nas.analysis.shift import Shift, interval
from nas.analysis.units import SkUnit


def test_interval_of_three_pairs_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t of 2 degrees 4.302653.
    shift = paired_shift(np.array([5.0, 0.0, -1.0]), np.array([6.0, 2.0, 2.0]))
    assert shift.mean == pytest.approx(2)
    assert shift.low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-6)
    assert shift.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-6)
    assert shift.images == 3
    assert not shift.excludes_0


def test_interval_is_that_of_the_paired_t_test() -> None:
    draws = np.random.default_rng(0)
    before = draws.normal(size=50)
    after = before + draws.normal(0.3, 0.5, size=50)
    shift = paired_shift(before, after)
    expected = ttest_rel(after, before).confidence_interval(0.95)
    assert (shift.low, shift.high) == pytest.approx((expected.low, expected.high))
    assert shift.direction == "positive"
    assert paired_shift(after, before).direction == "negative"


def test_interval_covers_the_truth_nineteen_times_in_twenty() -> None:
    draws = np.random.default_rng(1)
    moved = draws.normal(0.2, 1.0, size=(2000, 12))
    shifts = [paired_shift(np.zeros(12), row) for row in moved]
    covered = np.mean([s.low <= 0.2 <= s.high for s in shifts if s.low is not None and s.high])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_no_movement_is_no_shift_and_a_steady_one_is_certain() -> None:
    same = np.array([0.1, -0.4, 0.3])
    still = paired_shift(same, same)
    assert (still.mean, still.low, still.high, still.excludes_0) == (0, 0, 0, False)
    steady = paired_shift(same, same + 0.25)
    assert steady.excludes_0
    assert steady.mean == pytest.approx(0.25)


def test_one_image_has_no_interval() -> None:
    shift = paired_shift(np.array([0.0]), np.array([0.5]))
    assert (shift.mean, shift.low, shift.high) == (0.5, None, None)
    assert shift.direction == "not distinguishable from 0"
    assert interval(shift) == "+0.5000, one image"


def unit(stage: int, index: int, larger: np.ndarray) -> UnitAttention:
    """A unit of 3x3 and 5x5 with these mean weights of the 5x5, (scales, images)."""
    branches = np.stack([1 - larger, larger], axis=-1)
    place = SkUnit(stage, index, False, f"stage{stage}.{index}", 1, (3, 5))
    return UnitAttention(place, branches, larger.mean(1, keepdims=True))


def test_a_stage_is_the_mean_of_its_units_image_by_image() -> None:
    draws = np.random.default_rng(2)
    first, second, third = (draws.uniform(size=(3, 20)) for _ in range(3))
    units = (unit(2, 1, first), unit(2, 2, second), unit(4, 1, third))
    found = stage_shifts(Attention((1.0, 1.5, 2.0), np.zeros(20, dtype=np.int64), units))
    assert [(stage.stage, len(stage.units)) for stage in found] == [(2, 2), (4, 1)]
    mean = (units[0].difference + units[1].difference) / 2
    assert found[0].shifts == unit_shifts(mean)
    assert found[1].shifts == unit_shifts(units[2].difference) == found[1].units[0]
    assert found[0].shifts[1] == paired_shift(mean[0], mean[2])


def test_the_sentence_shows_units_that_cancel_each_other() -> None:
    noise = np.random.default_rng(3).normal(0, 1e-3, size=(2, 30))
    up = np.stack([np.full(30, 0.5), 0.6 + noise[0]])
    down = np.stack([np.full(30, 0.5), 0.4 + noise[1]])
    units = (unit(3, 1, up), unit(3, 2, down))
    (stage,) = stage_shifts(Attention((1.0, 1.5), np.zeros(30, dtype=np.int64), units))
    assert stage.shifts[0].direction == "not distinguishable from 0"
    text = sentence(stage, (1.0, 1.5))
    assert text.startswith(
        "Stage 3: the shift to the larger kernel, mean of 2 units, is at 1.5x not "
    )
    assert text.endswith("units: 1 up, 1 down).")


def test_figures_are_printed_with_half_the_interval() -> None:
    assert interval(Shift(-0.25, -0.3, -0.2, 9)) == "-0.2500 ± 0.0500"
