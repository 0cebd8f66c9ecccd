"""The paper's Figures 3 and 4 for one network, and the shifts of its attention."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from nas.analysis.analyse import Analysis
from nas.analysis.attention import UnitAttention
from nas.analysis.shift import Shift, interval, unit_shifts
from nas.analysis.units import SkUnit, shown_units
from nas.report.figures.base import ACCENT, INK, MUTED, Figure, hover_text, make_figure

GROUP = 16
"""Successive channels per point of the paper's Figure 3, and its number of points."""
COLORS = (MUTED, ACCENT, INK, "#c26a00", "#6b3fa0")
MOST_MARKED = 40
"""Largest number of classes with a marker each; with more classes, lines alone are clearer."""
DIFFERENCE = "larger less smaller"
_ZERO = {"zeroline": True, "zerolinecolor": MUTED}


def channels_figure(analysis: Analysis) -> Figure:
    """Figure 3, left: the larger kernel's weight by channel, in the requested unit."""
    (one,) = [one for one in analysis.attention.units if one.unit == analysis.unit]
    starts = range(0, one.unit.channels, group_size(one.unit.channels))
    traces = []
    for number, scale in enumerate(analysis.attention.scales):
        groups = np.split(one.channels[number], list(starts)[1:])
        names = [_group(start, len(group)) for start, group in zip(starts, groups, strict=True)]
        means = [float(group.mean()) for group in groups]
        traces.append(
            _line(
                [s + (len(group) - 1) / 2 for s, group in zip(starts, groups, strict=True)],
                means,
                number,
                scale,
                [f"{scale:g}x: {mean:.4f}" for mean in means],
                names,
            )
        )
    return make_figure(
        f"Weight of the larger kernel in {one.unit.name} by channel, at each object scale",
        traces,
        x={"title": {"text": f"channel of {one.unit.name}"}},
        y={"title": {"text": f"attention of the {max(one.unit.kernels)}x{max(one.unit.kernels)}"}},
        height=360,
    )


def difference_figure(analysis: Analysis) -> Figure:
    """Figure 3, right: the difference in every unit, its standard deviation over the images as bars."""
    return _bars(
        "Weight of the larger kernel less that of the smaller, in each unit at each object scale",
        analysis,
        [
            [_difference(one, number, analysis.images) for one in analysis.attention.units]
            for number, _ in enumerate(analysis.attention.scales)
        ],
        range(len(analysis.attention.scales)),
        DIFFERENCE,
    )


def shift_figure(analysis: Analysis) -> Figure:
    """The shift of every unit against scale 1, its 95 % interval as bars."""
    shifts = [unit_shifts(one.difference) for one in analysis.attention.units]
    return _bars(
        "Shift of each unit towards the larger kernel, against object scale 1",
        analysis,
        [
            [_shift(of_unit[number]) for of_unit in shifts]
            for number in range(len(analysis.attention.scales) - 1)
        ],
        range(1, len(analysis.attention.scales)),
        "shift against 1x",
    )


def class_figures(analysis: Analysis) -> tuple[tuple[SkUnit, Figure], ...]:
    """Figure 4: the difference by class at scale 1 and the next, in an early, middle and last unit."""
    shown = shown_units([one.unit for one in analysis.attention.units])
    by_unit = {one.unit: one for one in analysis.attention.units}
    return tuple((unit, _by_class(analysis, by_unit[unit])) for unit in shown)


def group_size(channels: int) -> int:
    """Number of channels per point: 16 as in the paper, or fewer if that leaves few points."""
    return max(1, min(GROUP, channels // GROUP))


def _by_class(analysis: Analysis, one: UnitAttention) -> Figure:
    labels = analysis.attention.labels
    present = np.unique(labels)
    names = [analysis.data.class_names[label] for label in present]
    traces = []
    for number, scale in list(enumerate(analysis.attention.scales))[:2]:
        means = [float(one.difference[number, labels == label].mean()) for label in present]
        traces.append(
            _line(
                [html.escape(name) for name in names],
                means,
                number,
                scale,
                [f"{scale:g}x: {mean:+.4f}" for mean in means],
                names,
                marked=len(names) <= MOST_MARKED,
            )
        )
    return make_figure(
        f"Difference in {one.unit.name} by class, at two object scales",
        traces,
        x={"title": {"text": "class"}, "type": "category"},
        y={"title": {"text": DIFFERENCE}},
        height=300,
    )


def _line(
    x: Sequence[float | str],
    y: Sequence[float],
    number: int,
    scale: float,
    said: Sequence[str],
    names: Sequence[str],
    *,
    marked: bool = True,
) -> go.Scatter:
    """The line of scale ``number``; the hover text of each point is its name and ``said``."""
    return go.Scatter(
        x=x,
        y=y,
        name=f"{scale:g}x",
        mode="lines+markers" if marked else "lines",
        line={"color": _color(number), "width": 2},
        marker={"color": _color(number), "size": 6},
        hoverinfo="text",
        hovertext=[hover_text(name, [text]) for name, text in zip(names, said, strict=True)],
    )


def _bars(
    about: str,
    analysis: Analysis,
    figures: Sequence[Sequence[tuple[float, float | None, str]]],
    scales: Sequence[int],
    title: str,
) -> Figure:
    """Bars (mean, half of an error bar, hover text) of every unit, side by side for the scales."""
    names = [one.unit.name for one in analysis.attention.units]
    traces = []
    for number, row in zip(scales, figures, strict=True):
        scale = f"{analysis.attention.scales[number]:g}x"
        traces.append(
            go.Bar(
                x=names,
                y=[mean for mean, _, _ in row],
                name=scale,
                marker={"color": _color(number)},
                error_y={
                    "type": "data",
                    "array": [half for _, half, _ in row],
                    "color": INK,
                    "thickness": 1,
                    "width": 2,
                },
                hoverinfo="text",
                hovertext=[
                    hover_text(name, [f"{scale}: {words}"])
                    for name, (_, _, words) in zip(names, row, strict=True)
                ],
            )
        )
    return make_figure(
        about,
        traces,
        x={"type": "category", "tickangle": -90 if len(names) > 8 else 0},
        y={"title": {"text": title}, **_ZERO},
        height=360,
    )


def _difference(one: UnitAttention, number: int, images: int) -> tuple[float, float | None, str]:
    difference = one.difference[number]
    mean = float(difference.mean())
    std = float(difference.std(ddof=1)) if images > 1 else None
    return mean, std, f"{mean:+.4f}" + ("" if std is None else f", standard deviation {std:.4f}")


def _shift(shift: Shift) -> tuple[float, float | None, str]:
    half = None if shift.high is None else shift.high - shift.mean
    return shift.mean, half, interval(shift)


def _group(start: int, size: int) -> str:
    return f"channel {start}" if size == 1 else f"channels {start} to {start + size - 1}"


def _color(number: int) -> str:
    return COLORS[number % len(COLORS)]
