"""Mending group widths: a width that does not divide the channels becomes one that does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from blocks import UNITS, InvalidInput, UnitSpec

Channels = Mapping[int, tuple[int, ...]]
"""Stage -> channel counts of the units in it."""


def mend(unit: UnitSpec, channels: Channels) -> UnitSpec:
    """Lower each group width, the unit's and the stages' own, as far as ``lowered`` says."""
    shared = lowered(unit.group_width, common_divisor(unit, channels, None))
    stages = tuple(
        (stage, override)
        if override.group_width is None
        else (
            stage,
            override.model_copy(
                update={
                    "group_width": lowered(
                        override.group_width, common_divisor(unit, channels, stage)
                    )
                }
            ),
        )
        for stage, override in unit.stages
    )
    return unit.model_copy(update={"group_width": shared, "stages": stages})


def common_divisor(unit: UnitSpec, channels: Channels, stage: int | None) -> int:
    """Greatest common divisor of the channels that one group width has to divide.

    Args:
        unit: The unit with its overrides.
        channels: Of the backbone.
        stage: Where the group width is an override; None for the unit's own, which holds in all stages
            that do not override it.

    Returns:
        The divisor; 0 when no unit concerned has groups, so that any width will do.
    """
    own = {number for number, override in unit.stages if override.group_width is not None}
    concerned = [s for s in channels if (s not in own if stage is None else s == stage)]
    return math.gcd(*_grouped(unit, channels, concerned))


def lowered(asked: int, divisor: int) -> int:
    """The largest divisor of ``divisor`` not above ``asked``; any number divides 0."""
    if divisor == 0:
        return asked
    return next(width for width in range(min(asked, divisor), 0, -1) if divisor % width == 0)


def _grouped(unit: UnitSpec, channels: Channels, stages: Iterable[int]) -> Iterable[int]:
    """Channel counts of those units that care about the group width."""
    for stage in stages:
        here = unit.at(stage)
        for count in channels[stage]:
            # No unit has groups wider than itself: one that takes them does not look at the width.
            wider = here.model_copy(update={"group_width": count + 1})
            try:
                UNITS[here.kind].check(wider, count)
            except InvalidInput:
                yield count
