"""Rounds group widths and numbers of groups to divisors of the channels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, TypeGuard, get_args

from blocks import UNITS, InvalidInput, UnitOverride, UnitSpec

Channels = Mapping[int, tuple[int, ...]]
"""Stage -> channel counts of the units in it."""

Rounded: TypeAlias = Literal["groups", "group_width"]
"""The fields that are rounded, in order; ``groups`` override the group width."""

Figures: TypeAlias = int | tuple[int, ...]
"""A group width, or numbers of groups."""


def round_groups(unit: UnitSpec, channels: Channels) -> UnitSpec:
    """Round all groups and group widths of the unit and of its stages with ``round_down``."""
    for field in get_args(Rounded):
        unit = _round_field(unit, channels, field)
    return unit


def is_rounded(field: str) -> TypeGuard[Rounded]:
    """Whether ``field`` of a unit is rounded."""
    return field in get_args(Rounded)


def common_divisor(unit: UnitSpec, channels: Channels, field: Rounded, stage: int | None) -> int:
    """Greatest common divisor of the channels that a group width, or a number of groups, has to divide.

    Args:
        unit: The unit with its overrides.
        channels: Channels of the backbone by stage.
        field: Name of the field.
        stage: The stage of an override; None for the unit's own field, which applies in all stages
            without an override.

    Returns:
        The divisor; 0 if no unit uses the field, so that any value is valid.
    """
    own = {number for number, override in unit.stages if getattr(override, field) is not None}
    concerned = [s for s in channels if (s not in own if stage is None else s == stage)]
    return math.gcd(*_grouped(unit, channels, field, concerned))


def all_rounded(asked: Figures, divisor: int) -> Figures:
    """``asked`` with each value rounded down."""
    if isinstance(asked, tuple):
        return tuple(round_down(one, divisor) for one in asked)
    return round_down(asked, divisor)


def round_down(asked: int, divisor: int) -> int:
    """The largest divisor of ``divisor`` that is at most ``asked``; any number divides 0."""
    if divisor == 0:
        return asked
    return next(figure for figure in range(min(asked, divisor), 0, -1) if divisor % figure == 0)


def _round_field(unit: UnitSpec, channels: Channels, field: Rounded) -> UnitSpec:
    def rounded(part: UnitSpec | UnitOverride, stage: int | None) -> dict[str, object]:
        asked = getattr(part, field)
        if asked is None:
            return {}
        return {field: all_rounded(asked, common_divisor(unit, channels, field, stage))}

    stages = tuple(
        (stage, override.model_copy(update=rounded(override, stage)))
        for stage, override in unit.stages
    )
    return unit.model_copy(update={**rounded(unit, None), "stages": stages})


def _grouped(
    unit: UnitSpec, channels: Channels, field: Rounded, stages: Iterable[int]
) -> Iterable[int]:
    """Channel counts of the units that use ``field``."""
    for stage in stages:
        here = unit.at(stage)
        if field == "group_width" and here.groups:
            continue
        for count in channels[stage]:
            # No unit has groups wider, or more of them, than its channels: one that takes such figures
            # does not look at them.
            beyond = (count + 1,) if field == "groups" else count + 1
            try:
                UNITS[here.kind].check(here.model_copy(update={field: beyond}), count)
            except InvalidInput:
                yield count
