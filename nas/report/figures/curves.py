"""How each training went."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

from nas.report.figures.base import ACCENT, INK, MUTED, Figure, hover_text, make_figure
from nas.report.material import Material
from nas.report.quantities import shown_error
from nas.runs import ERROR
from nas.training.recipe import METRICS, metric_text


def curves_figure(material: Material) -> Figure:
    """Validation error after each epoch: all trials, those of the front and the knee on top."""
    knee = {material.knee.trial} if material.knee else set()
    front = {point.trial for point in material.front.points} - knee
    others = material.curves.keys() - front - knee
    traces = [
        _curves(material, others, "other trials", color=MUTED, width=1),
        _curves(material, front, "front", color=ACCENT, width=2),
        *(_curves(material, {trial}, f"knee: trial {trial}", color=INK, width=3) for trial in knee),
    ]
    longest = max(map(len, material.curves.values()))
    return make_figure(
        f"Validation {METRICS[material.metric]} of each trial after each epoch",
        traces,
        x={
            "title": {"text": "epoch"},
            "tickformat": ",d",
            **({"dtick": 1} if longest < 10 else {}),
        },
        y={"title": {"text": material.label(ERROR)}},
    )


def _curves(
    material: Material, trials: Iterable[int], name: str, *, color: str, width: int
) -> go.Scatter:
    """All curves of a kind as one trace with gaps: Plotly slows down with traces, not with points."""
    epochs: list[int | None] = []
    errors: list[float | None] = []
    texts: list[str] = []
    numbers: list[int | None] = []
    for trial in sorted(set(trials) & material.curves.keys()):
        curve = material.curves[trial]
        epochs += [*range(1, len(curve) + 1), None]
        errors += [*(shown_error(error, material.metric) for error in curve), None]
        texts += [*(_hover(material, trial, *point) for point in enumerate(curve, start=1)), ""]
        numbers += [*([trial] * len(curve)), None]
    style: dict[str, Any] = {"color": color, "width": width}
    return go.Scatter(
        x=epochs,
        y=errors,
        name=name,
        mode="lines+markers",
        line=style,
        marker={"color": color, "size": width + 3},
        opacity=0.55 if color == MUTED else 1,
        hoverinfo="text",
        hovertext=texts,
        customdata=numbers,
    )


def _hover(material: Material, trial: int, epoch: int, error: float) -> str:
    said = f"{METRICS[material.metric]} {metric_text(material.metric, error)}"
    return hover_text(f"trial {trial}", [f"epoch {epoch}: {said}"])
