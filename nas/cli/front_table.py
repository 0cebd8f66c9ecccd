"""The front of a run as a table on the terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.table import Table

from nas.cli.console import console, say
from nas.front import Front, FrontPoint, pick_knee
from nas.runs import ERROR
from nas.searching.uncertainty import interval_text
from nas.training.recipe import METRICS, Metric, metric_text, metric_unit

if TYPE_CHECKING:
    from nas.evaluation import Rate
    from nas.searching.uncertainty import Uncertainty


def print_front(front: Front, uncertainty: Uncertainty) -> None:
    """The front, cheapest first, with the knee marked; errors with their 95 % intervals.

    Of input size and width, those have a column that differ along the front; else the width has.
    """
    if not front.points:
        say("no trained trial, so no front")
        return
    knee = pick_knee(front)
    table = Table(title=f"Pareto front (hypervolume {front.hypervolume:.4f})", title_justify="left")
    table.add_column("trial", justify="right")
    for name in front.objectives:
        error = f"val. {METRICS[uncertainty.metric]} {metric_unit(uncertainty.metric)}"
        table.add_column(error if name == ERROR else name, justify="right", no_wrap=True)
    confirmed = uncertainty.confirmed
    if confirmed is not None:
        table.add_column("seeds", justify="right", no_wrap=True)
    scales = _scales(front)
    for heading in scales:
        table.add_column(heading, justify="right")
    table.add_column("unit", overflow="fold")
    table.add_column("")
    for point in front.points:
        rate = uncertainty.rates.get(point.trial)
        figures = [
            error_text(value, rate, uncertainty.metric) if name == ERROR else f"{value:,.6g}"
            for name, value in zip(front.objectives, point.values, strict=True)
        ]
        mark = "knee" if point.trial == knee.trial else ""
        if confirmed is not None:
            figures.append(str(confirmed.trainings[point.trial]))
        spec = point.spec
        scale = [f"{getattr(spec, field):g}" for field in scales.values()]
        # A stage a line, where stages have units of their own.
        unit = spec.label.replace(" | ", "\n")
        table.add_row(str(point.trial), *figures, *scale, unit, mark)
    console.print(table)
    said = [uncertainty.sentence] if confirmed is None else confirmed.sentences
    for sentence in filter(None, said):
        say(sentence)


def front_document(front: Front, uncertainty: Uncertainty) -> dict[str, Any]:
    """The front for programs: as pareto.json has it, with intervals."""
    document: dict[str, Any] = json.loads(front.to_json())
    if uncertainty.metric != "error":
        document["metric"] = uncertainty.metric
    confirmed = uncertainty.confirmed
    for point in document["front"]:
        rate = uncertainty.rates.get(point["trial"])
        if rate is not None:
            point["error_interval"] = [rate.low, rate.high]
        if point["trial"] in uncertainty.images:
            point["val_images"] = uncertainty.images[point["trial"]]
        if confirmed is not None:
            point["trainings"] = confirmed.trainings[point["trial"]]
            point["on_front"] = confirmed.membership[point["trial"]]
            point["not_told_apart_from"] = list(confirmed.alike(point["trial"]))
    if confirmed is not None:
        document["confirmed"] = confirmed.to_json()
    return document


def picked_document(front: Front, document: dict[str, Any], picked: FrontPoint) -> dict[str, Any]:
    """The network that was picked, as the document of its front has it; it may be behind the front."""
    for point in document["front"]:
        if point["trial"] == picked.trial:
            return dict(point)
    alone: dict[str, Any] = json.loads(replace(front, points=(picked,)).to_json())
    return dict(alone["front"][0])


def best_within_document(front: Front) -> list[dict[str, Any]]:
    """The least error within a dozen budgets, for programs."""
    return [
        {"cost": one.cost, "budget": one.budget, "trial": one.point.trial, "error": one.error}
        for one in front.best_within()
    ]


def print_best_within(front: Front, uncertainty: Uncertainty) -> None:
    """The least error within a dozen budgets, a table for each cost."""
    found = front.best_within()
    for cost in dict.fromkeys(one.cost for one in found):
        table = Table(title=f"Best error within {cost}", title_justify="left")
        error = f"val. {METRICS[uncertainty.metric]} {metric_unit(uncertainty.metric)}"
        for heading in (f"{cost} at most", error, "trial"):
            table.add_column(heading, justify="right", no_wrap=True)
        for one in (one for one in found if one.cost == cost):
            trial = one.point.trial
            rate = uncertainty.rates.get(trial)
            text = error_text(one.error, rate, uncertainty.metric)
            table.add_row(f"{one.budget:,.6g}", text, str(trial))
        console.print(table)


def _scales(front: Front) -> dict[str, str]:
    """Heading -> field of the network, of what scales all of it."""
    fields = {"input": "input_size", "width": "width"}
    differ = {
        heading: field
        for heading, field in fields.items()
        if len({getattr(point.spec, field) for point in front.points}) > 1
    }
    return differ or {"width": "width"}


def error_text(value: float, rate: Rate | None, metric: Metric = "error") -> str:
    """An error in the unit of its metric, with its interval if that is known."""
    interval = "" if rate is None else f" ({interval_text(metric, rate)})"
    return f"{metric_text(metric, value).partition(' ')[0]}{interval}"
