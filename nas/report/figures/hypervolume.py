"""What the front was worth after each training."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from nas.front import hypervolume
from nas.report.figures.base import ACCENT, Figure, hover_text, make_figure
from nas.report.material import Material


def hypervolume_figure(material: Material) -> Figure:
    """Hypervolume over the trained trials, in the order they were proposed."""
    worth = _growth([one.values for one in material.trained], material.front.reference)
    trace = go.Scatter(
        x=list(range(1, len(worth) + 1)),
        y=worth,
        mode="lines+markers",
        line={"shape": "hv", "color": ACCENT, "width": 2},
        marker={"color": ACCENT, "size": 5},
        hoverinfo="text",
        hovertext=[
            hover_text(f"trial {one.number}", [f"hypervolume {value:.4f}"])
            for one, value in zip(material.trained, worth, strict=True)
        ],
        customdata=[one.number for one in material.trained],
    )
    return make_figure(
        "Hypervolume of the front after each trained trial",
        [trace],
        x={"title": {"text": "trained trials"}, "tickformat": ",d", "rangemode": "tozero"},
        y={"title": {"text": "hypervolume"}, "range": _range(worth)},
        height=320,
    )


def _growth(values: Sequence[tuple[float, ...]], reference: tuple[float, ...]) -> list[float]:
    """The hypervolume of the first value, of the first two, and so on."""
    worth: list[float] = []
    front: list[tuple[float, ...]] = []
    for new in values:
        # The exact algorithm is slow for many points, and those behind the front add nothing.
        if any(_covers(known, new) for known in front):
            worth.append(worth[-1])
            continue
        front = [known for known in front if not _covers(new, known)] + [new]
        worth.append(hypervolume(front, reference))
    return worth


def _covers(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether ``one`` is nowhere worse than ``other``."""
    return all(a <= b for a, b in zip(one, other, strict=True))


def _range(worth: Sequence[float]) -> list[float]:
    """An axis that shows the growth; Plotly's own would reach below 0 when there is none."""
    margin = max(0.02, 0.1 * (worth[-1] - worth[0]))
    return [max(0.0, worth[0] - margin), min(1.05, worth[-1] + margin)]
