"""How far the attention moves with the object's scale, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from nas.analysis.attention import Attention

LEVEL = 0.95


@dataclass(frozen=True)
class Shift:
    """Mean of the differences of n pairs, and an interval for it.

    The interval is Student's for the mean of paired differences. It covers the choice of the images, not
    what another training of the network would give.

    Attributes:
        mean: Over the pairs, after less before.
        low: Lower end of the 95 % interval; None for a single pair, which has none.
        high: Upper end.
        images: n.
    """

    mean: float
    low: float | None
    high: float | None
    images: int

    @property
    def excludes_0(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def direction(self) -> str:
        """``positive``, ``negative``, or ``not distinguishable from 0``."""
        if not self.excludes_0:
            return "not distinguishable from 0"
        return "positive" if self.mean > 0 else "negative"


@dataclass(frozen=True)
class StageShift:
    """The shift of a whole stage: for each image the mean over the stage's units.

    Attributes:
        stage: Its number.
        units: The shifts of each unit, one a scale after the first: units may shift in opposite
            directions, and the mean hides it.
        shifts: Of the stage, one a scale after the first.
    """

    stage: int
    units: tuple[tuple[Shift, ...], ...]
    shifts: tuple[Shift, ...]

    def units_up(self, number: int) -> int:
        """How many units have a positive shift to the scale of that number."""
        return sum(unit[number].direction == "positive" for unit in self.units)

    def units_down(self, number: int) -> int:
        """How many have a negative one."""
        return sum(unit[number].direction == "negative" for unit in self.units)


def paired_shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> Shift:
    """The mean of ``after - before`` over n images, with its interval.

    Args:
        before: float64 (n,).
        after: float64 (n,), of the same images.
    """
    moved = after - before
    count = len(moved)
    mean = float(moved.mean())
    if count < 2:
        return Shift(mean, None, None, count)
    error = float(moved.std(ddof=1)) / math.sqrt(count)
    margin = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * error
    return Shift(mean, mean - margin, mean + margin, count)


def unit_shifts(difference: NDArray[np.float64]) -> tuple[Shift, ...]:
    """The shift from the first scale to every other one.

    Args:
        difference: float64 (S, N), as ``UnitAttention.difference`` gives it.

    Returns:
        S - 1 shifts.
    """
    return tuple(paired_shift(difference[0], after) for after in difference[1:])


def stage_shifts(attention: Attention) -> tuple[StageShift, ...]:
    """The shifts of every stage that has units, ascending."""
    stages: dict[int, list[NDArray[np.float64]]] = {}
    for one in attention.units:
        stages.setdefault(one.unit.stage, []).append(one.difference)
    return tuple(
        StageShift(stage, tuple(map(unit_shifts, found)), unit_shifts(np.mean(found, axis=0)))
        for stage, found in sorted(stages.items())
    )


def sentence(stage: StageShift, scales: Sequence[float]) -> str:
    """What the figures of a stage say of this network, and no more.

    Args:
        stage: With its shifts.
        scales: All scales, the first is 1.
    """
    parts = [
        f"at {scale:g}x {shift.direction} ({interval(shift)}; units: {stage.units_up(number)} up, "
        f"{stage.units_down(number)} down)"
        for number, (scale, shift) in enumerate(zip(scales[1:], stage.shifts, strict=True))
    ]
    mean = "of 1 unit" if len(stage.units) == 1 else f"mean of {len(stage.units)} units"
    return f"Stage {stage.stage}: the shift to the larger kernel, {mean}, is {', '.join(parts)}."


def interval(shift: Shift) -> str:
    """The shift with half the width of its interval."""
    if shift.high is None:
        return f"{shift.mean:+.4f}, one image"
    return f"{shift.mean:+.4f} ± {shift.high - shift.mean:.4f}"
