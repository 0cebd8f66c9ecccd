"""Axes of the figure of the front: logarithms, the part that the front fills, and intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from nas.report.figures.base import ACCENT, View
from nas.report.material import Material
from nas.report.quantities import shown_error
from nas.runs import ERROR, TrialRecord

LOG_ABOVE = 10
"""Span of a figure, largest by smallest, above which its axis is logarithmic."""
SQUEEZED = 1.5
"""Span of all networks by that of the front from which on the front is shown alone at first."""
MARGIN = 0.08
"""Of the span of the front, on each side of it."""


def scale(values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis, marked at 1, 2 and 5 times powers of ten, for figures that span much."""
    if not values or min(values) <= 0 or max(values) / min(values) <= LOG_ABOVE:
        return {}
    decades = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    marks = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    return {"type": "log", "tickvals": marks, "ticktext": [f"{mark:,.12g}" for mark in marks]}


def zoomed(
    material: Material,
    place: Callable[[TrialRecord], float],
    x: dict[str, Any],
    y: dict[str, Any],
) -> tuple[tuple[float, float], ...]:
    """The ranges of both axes that the front and its intervals fill; none if other trials leave room."""
    members = {point.trial for point in material.front.points}
    front = [one for one in material.trained if one.number in members]
    if len(front) < 2:
        return ()
    ranges, wider = [], False
    for axis, values in ((x, place), (y, lambda one: _shown(one, material))):
        lengths = [_position(values(one), axis) for one in front]
        everyone = [_position(values(one), axis) for one in material.trained]
        if axis is y:
            lengths += [
                _position(shown_error(end, material.metric), axis)
                for one in front
                for end in _ends(material, one, log="type" in axis)
            ]
        low, high = min(lengths), max(lengths)
        if high <= low:
            return ()
        wider |= max(everyone) - min(everyone) > SQUEEZED * (high - low)
        margin = MARGIN * (high - low)
        ranges.append((low - margin, high + margin))
    return tuple(ranges) if wider else ()


def views_of(zoom: Sequence[tuple[float, float]]) -> tuple[View, ...]:
    """Buttons for the front and for all networks; none where one view shows both."""
    if not zoom:
        return ()
    front = {f"{axis}.range": list(one) for axis, one in zip(("xaxis", "yaxis"), zoom, strict=True)}
    everyone = {"xaxis.autorange": True, "yaxis.autorange": True}
    return (View("Front", json.dumps(front)), View("All networks", json.dumps(everyone)))


def intervals(material: Material, records: Sequence[TrialRecord]) -> dict[str, Any] | None:
    """The 95 % intervals of the errors of some networks, as Plotly takes them; None: there are none."""
    rates = material.uncertainty.rates
    if not any(one.number in rates for one in records):
        return None
    log = "type" in scale([_shown(one, material) for one in material.trained])
    above, below = [], []
    for one in records:
        low, high = _ends(material, one, log=log)
        value = one.values[material.config.objectives.index(ERROR)]
        above.append(shown_error(high - value, material.metric))
        below.append(shown_error(value - low, material.metric))
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": ACCENT,
        "thickness": 1,
        "width": 4,
    }


def _ends(material: Material, one: TrialRecord, *, log: bool) -> tuple[float, float]:
    """Both ends of the interval of an error; on a logarithmic axis none at 0."""
    value = one.values[material.config.objectives.index(ERROR)]
    rate = material.uncertainty.rates.get(one.number)
    if rate is None:
        return value, value
    return (max(rate.low, value / 3) if log else rate.low), rate.high


def _shown(one: TrialRecord, material: Material) -> float:
    return shown_error(one.values[material.config.objectives.index(ERROR)], material.metric)


def _position(value: float, axis: dict[str, Any]) -> float:
    """Where a figure lies on an axis, in Plotly's terms."""
    return math.log10(value) if "type" in axis else value
