"""The reliability curve."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from nas.evaluation.calibration import Bin
from nas.evaluation.figures import Figures
from nas.report.figures.base import ACCENT, MUTED, Figure, hover_text, make_figure
from nas.training.intervals import wilson

SCALED = "#b4540a"


def reliability_figure(figures: Figures) -> Figure:
    """Accuracy by probability, with intervals; after the temperature too, if one was fitted."""
    ideal = go.Scatter(
        x=[0, 100], y=[0, 100], mode="lines", line={"color": MUTED, "dash": "dot"},
        hoverinfo="skip", name="ideal",
    )  # fmt: skip
    traces = [ideal, _curve(figures.reliability, "as trained", ACCENT)]
    if figures.scaled_reliability:
        traces.append(_curve(figures.scaled_reliability, "with the temperature", SCALED))
    return make_figure(
        "Reliability: the share of correct images against the probability of the prediction",
        traces,
        x={"title": {"text": "probability %"}, "range": [0, 102]},
        y={"title": {"text": "classified correctly %"}, "range": [0, 104]},
        height=380,
    )


def _curve(bins: Sequence[Bin], name: str, color: str) -> go.Scatter:
    x, y, above, below, texts = [], [], [], [], []
    for one in bins:
        if one.confidence is None or one.accuracy is None:
            continue
        rate = wilson(round(one.accuracy * one.images), one.images)
        x.append(100 * one.confidence)
        y.append(100 * one.accuracy)
        above.append(100 * (rate.high - rate.value))
        below.append(100 * (rate.value - rate.low))
        texts.append(
            hover_text(
                name,
                [
                    f"{one.images:,} images, probability {100 * one.confidence:.0f} %",
                    f"{rate.percent()} right",
                ],
            )
        )
    return go.Scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name=name,
        marker={"color": color},
        error_y={"array": above, "arrayminus": below, "thickness": 1, "width": 3},
        hovertext=texts,
        hoverinfo="text",
    )
