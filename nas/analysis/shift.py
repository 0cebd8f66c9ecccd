"""The shift of the attention with the object's scale, and its confidence interval."""

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
    """The mean of n paired differences and its confidence interval.

    The interval is Student's for the mean of paired differences. It covers the sampling of the images,
    but not another training of the network.

    Attributes:
        mean: Mean over the pairs of after minus before.
        low: Lower end of the 95 % interval; None for a single pair.
        high: Upper end of the interval; None for a single pair.
        images: n.
    """

    mean: float
    low: float | None
    high: float | None
    images: int

    @property
    def excludes_0(self) -> bool:
        """Whether 0 is outside the interval."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def direction(self) -> str:
        """``positive``, ``negative``, or ``not distinguishable from 0``."""
        if not self.excludes_0:
            return "not distinguishable from 0"
        return "positive" if self.mean > 0 else "negative"


@dataclass(frozen=True)
class StageShift:
    """The shift of a whole stage: the mean over the stage's units for each image.

    Attributes:
        stage: Number of the stage.
        units: The shifts of each unit, one per scale after the first. Units may shift in opposite
            directions, which the mean hides.
        shifts: The shifts of the stage, one per scale after the first.
    """

    stage: int
    units: tuple[tuple[Shift, ...], ...]
    shifts: tuple[Shift, ...]

    def units_up(self, number: int) -> int:
        """Number of units with a positive shift at scale ``number``."""
        return sum(unit[number].direction == "positive" for unit in self.units)

    def units_down(self, number: int) -> int:
        """Number of units with a negative shift at scale ``number``."""
        return sum(unit[number].direction == "negative" for unit in self.units)


def paired_shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> Shift:
    """The mean of ``after - before`` over n images, with its interval.

    Args:
        before: float64 (n,).
        after: float64 (n,), for the same images.
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
    """The shift from the first scale to every other scale.

    Args:
        difference: float64 (S, N), ``UnitAttention.difference``.

    Returns:
        S - 1 shifts.
    """
    return tuple(paired_shift(difference[0], after) for after in difference[1:])


def stage_shifts(attention: Attention) -> tuple[StageShift, ...]:
    """The shifts of every stage with units, in ascending order."""
    stages: dict[int, list[NDArray[np.float64]]] = {}
    for one in attention.units:
        stages.setdefault(one.unit.stage, []).append(one.difference)
    return tuple(
        StageShift(stage, tuple(map(unit_shifts, found)), unit_shifts(np.mean(found, axis=0)))
        for stage, found in sorted(stages.items())
    )


def sentence(stage: StageShift, scales: Sequence[float]) -> str:
    """A sentence about the shifts of one stage of this network.

    Args:
        stage: The stage with its shifts.
        scales: All scales; the first is 1.
    """
    parts = [
        f"at {scale:g}x {shift.direction} ({interval(shift)}; units: {stage.units_up(number)} up, "
        f"{stage.units_down(number)} down)"
        for number, (scale, shift) in enumerate(zip(scales[1:], stage.shifts, strict=True))
    ]
    mean = "of 1 unit" if len(stage.units) == 1 else f"mean of {len(stage.units)} units"
    return f"Stage {stage.stage}: the shift to the larger kernel, {mean}, is {', '.join(parts)}."


def interval(shift: Shift) -> str:
    """The shift and half the width of its interval as text."""
    if shift.high is None:
        return f"{shift.mean:+.4f}, one image"
    return f"{shift.mean:+.4f} ± {shift.high - shift.mean:.4f}"
