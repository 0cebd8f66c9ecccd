"""Rounding groups: a group width, or a number of groups, that does not divide becomes one that does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, TypeGuard, get_args

from blocks import UNITS, InvalidInput, UnitOverride, UnitSpec

Channels = Mapping[int, tuple[int, ...]]
"""Stage -> channel counts of the units in it."""

Rounded: TypeAlias = Literal["groups", "group_width"]
"""The fields that are mended, in order: where ``groups`` are given, the group width does not count."""

Figures: TypeAlias = int | tuple[int, ...]
"""A group width, or numbers of groups."""


def mend(unit: UnitSpec, channels: Channels) -> UnitSpec:
    """Lower all groups and group widths, the unit's and the stages' own, as far as ``lowered`` says."""
    for field in get_args(Rounded):
        unit = _round_field(unit, channels, field)
    return unit


def is_rounded(field: str) -> TypeGuard[Rounded]:
    """Whether ``field`` of a unit is among those mended."""
    return field in get_args(Rounded)


def common_divisor(unit: UnitSpec, channels: Channels, field: Rounded, stage: int | None) -> int:
    """Greatest common divisor of the channels that one group width, or number of groups, has to divide.

    Args:
        unit: The unit with its overrides.
        channels: Of the backbone.
        field: Which of the two.
        stage: Where it is an override; None for the unit's own, which holds in all stages that do not
            override it.

    Returns:
        The divisor; 0 when no unit concerned looks at the field, so that any figure will do.
    """
    own = {number for number, override in unit.stages if getattr(override, field) is not None}
    concerned = [s for s in channels if (s not in own if stage is None else s == stage)]
    return math.gcd(*_grouped(unit, channels, field, concerned))


def all_lowered(asked: Figures, divisor: int) -> Figures:
    """``asked``, each of its figures lowered."""
    if isinstance(asked, tuple):
        return tuple(lowered(one, divisor) for one in asked)
    return lowered(asked, divisor)


def lowered(asked: int, divisor: int) -> int:
    """The largest divisor of ``divisor`` not above ``asked``; any number divides 0."""
    if divisor == 0:
        return asked
    return next(figure for figure in range(min(asked, divisor), 0, -1) if divisor % figure == 0)


def _round_field(unit: UnitSpec, channels: Channels, field: Rounded) -> UnitSpec:
    def mended(part: UnitSpec | UnitOverride, stage: int | None) -> dict[str, object]:
        asked = getattr(part, field)
        if asked is None:
            return {}
        return {field: all_lowered(asked, common_divisor(unit, channels, field, stage))}

    stages = tuple(
        (stage, override.model_copy(update=mended(override, stage)))
        for stage, override in unit.stages
    )
    return unit.model_copy(update={**mended(unit, None), "stages": stages})


def _grouped(
    unit: UnitSpec, channels: Channels, field: Rounded, stages: Iterable[int]
) -> Iterable[int]:
    """Channel counts of those units that look at ``field``."""
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
