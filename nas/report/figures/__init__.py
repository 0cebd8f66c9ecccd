"""The page's figures, one a file."""

from __future__ import annotations

from nas.report.figures.base import Figure
from nas.report.figures.curves import curves_figure
from nas.report.figures.front import front_figures
from nas.report.figures.hypervolume import hypervolume_figure
from nas.report.figures.importance import importance_figure

__all__ = [
    "Figure",
    "curves_figure",
    "front_figures",
    "hypervolume_figure",
    "importance_figure",
]
