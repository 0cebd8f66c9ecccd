"""Which parameters matter for the error."""

from __future__ import annotations

import plotly.graph_objects as go

from nas.report.figures.base import ACCENT, Figure, hover_text, make_figure
from nas.report.importance import Importance
from nas.report.networks import short


def importance_figure(importance: Importance) -> Figure:
    """The shares of the parameters as bars, the largest on top."""
    shares = importance.shares[::-1]
    names = [short(name) for name, _ in shares]
    trace = go.Bar(
        x=[100 * share for _, share in shares],
        y=names,
        orientation="h",
        marker={"color": ACCENT},
        text=[f"{100 * share:.0f} %" for _, share in shares],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="text",
        hovertext=[hover_text(name, [f"{100 * share:.1f} %"]) for name, share in shares],
    )
    return make_figure(
        "Share of the error's variation that each parameter explains",
        [trace],
        x={"title": {"text": "share of the variation (%)"}, "range": [0, 112]},
        y={"type": "category"},
        height=120 + 34 * len(shares),
    )
