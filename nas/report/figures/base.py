"""What all figures share: how they look, and the form in which the page takes them."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

ACCENT = "#0b5fa5"
INK = "#1f2328"
MUTED = "#8a9099"
_GRID = "#e4e7ea"
_AXIS = {
    "gridcolor": _GRID,
    "linecolor": MUTED,
    "zeroline": False,
    "showline": True,
    "ticks": "outside",
    "tickcolor": MUTED,
    "automargin": True,
    "title": {"standoff": 10},
}
_LOOK = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 10, "r": 14, "t": 30, "b": 10},
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "white", "font": {"color": INK}, "align": "left"},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
)


@dataclass(frozen=True)
class View:
    """A part of a figure that a button shows.

    Attributes:
        name: Text of the button.
        layout: Changes of Plotly's layout, as JSON.
    """

    name: str
    layout: str


@dataclass(frozen=True)
class Figure:
    """A figure as the page draws it.

    Attributes:
        about: What it shows, for those who do not see it.
        drawing: Plotly's traces and layout, as JSON.
        height: In pixels; the width is the page's.
        views: Parts of it, the first of which is shown at first; none: it has no buttons.
    """

    about: str
    drawing: str
    height: int = 420
    views: tuple[View, ...] = ()


def make_figure(
    about: str,
    traces: list[Any],
    *,
    x: dict[str, Any],
    y: dict[str, Any],
    height: int = 420,
    views: tuple[View, ...] = (),
) -> Figure:
    """Draw ``traces`` between the axes ``x`` and ``y`` (Plotly's terms) in the page's look.

    A click on a point whose ``customdata`` is the number of a trained trial leads to that network.
    """
    drawing = go.Figure(traces, {"template": _LOOK, "xaxis": x, "yaxis": y})
    return Figure(about, drawing.to_json(), height, views)


def hover_text(heading: str, lines: list[str]) -> str:
    """Text for a point. Plotly reads tags in it, so that a ``<`` of the content must not be one."""
    return "<br>".join([f"<b>{html.escape(heading)}</b>", *map(html.escape, lines)])
