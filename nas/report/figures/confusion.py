"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from nas.evaluation.figures import Figures
from nas.report.figures.base import ACCENT, Figure, hover_text, make_figure

MOST_CLASSES = 40
"""Classes that can still be told apart in a figure."""
MOST_NUMBERS = 15
"""Classes up to which the numbers of images stand in the cells."""


def shown_classes(figures: Figures) -> list[int]:
    """The classes of the matrix: all, or those with most mistakes."""
    count = len(figures.classes)
    if count <= MOST_CLASSES:
        return list(range(count))
    wrong = [0] * count
    for label, row in enumerate(figures.confusion):
        for named, images in enumerate(row):
            if label != named:
                wrong[label] += images
                wrong[named] += images
    return sorted(sorted(range(count), key=lambda one: -wrong[one])[:MOST_CLASSES])


def confusion_figure(figures: Figures, shown: Sequence[int]) -> Figure:
    """Labels down, predictions across; a click on a cell leads to its images."""
    names = [figures.classes[index].name for index in shown]
    rows = [[figures.confusion[label][named] for named in shown] for label in shown]
    totals = [max(figures.classes[label].images, 1) for label in shown]
    shares = [[100 * n / total for n in row] for row, total in zip(rows, totals, strict=True)]
    texts = [
        [
            hover_text(names[a], [f"predicted: {names[b]}", f"{n:,} images, {shares[a][b]:.1f} %"])
            for b, n in enumerate(row)
        ]
        for a, row in enumerate(rows)
    ]
    heat = go.Heatmap(
        z=shares,
        zmin=0,
        zmax=100,
        text=[[f"{n}" if n else "" for n in row] for row in rows],
        texttemplate="%{text}" if len(shown) <= MOST_NUMBERS else None,
        customdata=[[f"cell-{label}-{named}" for named in shown] for label in shown],
        hovertext=texts,
        hoverinfo="text",
        colorscale=[[0, "white"], [1, ACCENT]],
        colorbar={"title": {"text": "% of the class"}, "thickness": 12},
        xgap=1,
        ygap=1,
    )
    places = {"tickvals": list(range(len(names))), "ticktext": names}
    return make_figure(
        "Confusion matrix: for each class the share of its images by predicted class",
        [heat],
        x={"title": {"text": "predicted"}, **places},
        y={"title": {"text": "label"}, "autorange": "reversed", **places},
        height=min(900, 220 + 34 * len(shown)),
    )
