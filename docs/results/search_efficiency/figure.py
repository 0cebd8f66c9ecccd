"""The figure of this page: hypervolume against epochs, with 95 % bands.

Reads bands.csv beside this file and writes an HTML page. bands.png is a screenshot of it (1320 x 700).

    python docs/results/search_efficiency/figure.py bands.html [--tables real,parallel,crossing]
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

HERE = Path(__file__).resolve().parent
LAST = 450
# Ours in blues and greens, others in warm colours and greys; the same colour in every panel.
COLOURS = {
    "forecast+forecast": ("ours: forecast, early stopping forecast", "#0b5394"),
    "density+pareto": ("ours: density, early stopping pareto", "#38a3a5"),
    "density+cost-peers": ("ours: density, early stopping cost-peers", "#80b918"),
    "forecast+none": ("ours: forecast, trained in full", "#7fb3e6"),
    "density+none": ("ours: density, trained in full", "#b7c9a8"),
    "gp": ("Optuna GP", "#b5179e"),
    "tpe": ("Optuna TPE", "#d62828"),
    "nsga2": ("Optuna NSGA-II", "#f4a261"),
    "random": ("random", "#777777"),
    "random_once": ("random without repetition", "#222222"),
    "moasha_on_losses": ("Syne Tune MOASHA, corrected, shown losses", "#e76f51"),
    "moasha_corrected": ("Syne Tune MOASHA, corrected", "#9c6644"),
    "moasha": ("Syne Tune MOASHA, as shipped", "#ccb29b"),
}


def main() -> int:
    """Draw the figure; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default="real,parallel,crossing")
    parser.add_argument("page", type=Path, help="the HTML file to write")
    options = parser.parse_args()
    tables = options.tables.split(",")
    with (HERE / "bands.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["workers"] == "1"]
    figure = make_subplots(
        1, len(tables), subplot_titles=tables, shared_yaxes=True, horizontal_spacing=0.03
    )
    shown: set[str] = set()
    for column, table in enumerate(tables, 1):
        for searcher, (name, colour) in COLOURS.items():
            points = [
                row
                for row in rows
                if (row["table"], row["searcher"]) == (table, searcher)
                and int(row["epochs"]) <= LAST
            ]
            if points:
                for trace in traces(points, name, colour, legend=searcher not in shown):
                    figure.add_trace(trace, 1, column)
                shown.add(searcher)
        figure.add_hline(y=0.95, line={"dash": "dot", "width": 1}, row=1, col=column)
        figure.update_xaxes(title_text="epochs spent", range=[0, LAST], row=1, col=column)
    figure.update_yaxes(title_text="hypervolume, share of the true front's", col=1)
    figure.update_yaxes(range=[0.3, 1.0])
    figure.update_layout(
        template="plotly_white",
        width=1280,
        height=600,
        margin={"l": 60, "r": 20, "t": 40, "b": 120},
        legend={"orientation": "h", "y": -0.18},
    )
    figure.write_html(options.page, config={"displayModeBar": False})
    print(options.page)
    return 0


def traces(
    points: Iterable[dict[str, str]], name: str, colour: str, *, legend: bool
) -> list[go.Scatter]:
    """The band and the mean of one searcher."""
    epochs, mean, low, high = (
        [float(point[field]) for point in points] for field in ("epochs", "mean", "low", "high")
    )
    band = go.Scatter(
        x=[*epochs, *reversed(epochs)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        legendgroup=name,
    )
    line = go.Scatter(
        x=epochs,
        y=mean,
        name=name,
        line={"color": colour, "width": 2},
        legendgroup=name,
        showlegend=legend,
    )
    return [band, line]


if __name__ == "__main__":
    sys.exit(main())
