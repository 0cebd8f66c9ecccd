"""Error against cost: every trained network, the front among them, and the one to take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import plotly.graph_objects as go

from nas.paper import PublishedRow
from nas.report.figures.base import ACCENT, INK, MUTED, Figure, hover_text, make_figure
from nas.report.figures.front_axes import intervals, scale, views_of, zoomed
from nas.report.material import Material
from nas.report.networks import describe
from nas.report.published import published_beside
from nas.report.quantities import shown_error
from nas.runs import ERROR, TrialRecord

Place: TypeAlias = Callable[[TrialRecord], float]


def front_figures(material: Material) -> tuple[Figure, ...]:
    """One figure for each cost; a search for the error alone is drawn over its trials."""
    costs = [name for name in material.config.objectives if name != ERROR]
    return tuple(_against_cost(material, cost) for cost in costs) or (_over_trials(material),)


def _against_cost(material: Material, cost: str) -> Figure:
    column = material.config.objectives.index(cost)

    def place(one: TrialRecord) -> float:
        return one.values[column]

    # Between two members the front runs along the box they dominate. Of three objectives a plane shows
    # a projection, in which there is no such line.
    traces = _trials(material, place, line=len(material.config.objectives) == 2)
    costs = [place(one) for one in material.trained]
    if cost == "mflops" and material.metric == "error":
        rows = published_beside(material.config.data, material.records)
        costs += [row.mflops for row in rows if row.mflops is not None]
        traces += [_published(rows)] if rows else []
    x, y = scale(costs), scale(_errors(material, material.trained))
    zoom = zoomed(material, place, x, y)
    return make_figure(
        f"All trained networks: {material.label(ERROR)} against {material.label(cost)}",
        traces,
        x={"title": {"text": material.label(cost)}, **x, **_range(zoom, 0)},
        y={"title": {"text": material.label(ERROR)}, **y, **_range(zoom, 1)},
        height=460,
        views=views_of(zoom),
    )


def _over_trials(material: Material) -> Figure:
    return make_figure(
        f"All trained networks: {material.label(ERROR)} by trial",
        _trials(material, lambda one: one.number, line=False),
        x={"title": {"text": "trial"}},
        y={"title": {"text": material.label(ERROR)}, **scale(_errors(material, material.trained))},
        height=460,
    )


def _trials(material: Material, place: Place, *, line: bool) -> list[Any]:
    """The trained networks in three layers: those beaten, the front, the knee."""
    members = {point.trial for point in material.front.points}
    others = [one for one in material.trained if one.number not in members]
    front = sorted((one for one in material.trained if one.number in members), key=place)
    knee = [one for one in front if material.knee and one.number == material.knee.trial]
    traces = [
        _layer(material, others, place, name="other trials", marker={"color": MUTED, "size": 7}),
        _layer(
            material,
            front,
            place,
            name="front",
            mode="lines+markers" if line else "markers",
            line={"shape": "hv", "color": ACCENT, "width": 2},
            marker={"color": ACCENT, "size": 9},
            error_y=intervals(material, front),
        ),
    ]
    ring = {"symbol": "circle-open", "color": INK, "size": 18, "line": {"width": 2.5}}
    for one in knee:
        name = f"knee: trial {one.number}"
        # The ring lies over the point itself, whose hover text stays in reach.
        traces.append(_layer(material, [one], place, name=name, marker=ring, hoverinfo="skip"))
    return traces


def _layer(
    material: Material, records: Sequence[TrialRecord], place: Place, **style: Any
) -> go.Scatter:
    return go.Scatter(
        x=[place(one) for one in records],
        y=_errors(material, records),
        hovertext=[_hover(material, one) for one in records],
        customdata=[one.number for one in records],
        **{"mode": "markers", "hoverinfo": "text", **style},
    )


def _errors(material: Material, records: Sequence[TrialRecord]) -> list[float]:
    error = material.config.objectives.index(ERROR)
    return [shown_error(one.values[error], material.metric) for one in records]


def _hover(material: Material, one: TrialRecord) -> str:
    figures = zip(material.config.objectives, one.values, strict=True)
    lines = [f"{material.label(name)}: {material.digits(name, value)}" for name, value in figures]
    lines += [f"{field.label}: {field.text}" for field in describe(one.spec, material.config)]
    return hover_text(f"trial {one.number}", [*lines, f"key: {one.key}"])


def _published(rows: Sequence[PublishedRow]) -> go.Scatter:
    return go.Scatter(
        x=[row.mflops for row in rows],
        y=[row.error for row in rows],
        name="published",
        mode="markers",
        marker={"symbol": "square-open", "color": INK, "size": 9},
        hoverinfo="text",
        hovertext=[
            hover_text(row.network, [f"error: {row.error:.2f} %", f"MFLOPs: {row.mflops}"])
            for row in rows
        ],
    )


def _range(zoom: Sequence[tuple[float, float]], axis: int) -> dict[str, Any]:
    return {"range": list(zoom[axis])} if zoom else {}
