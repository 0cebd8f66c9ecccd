"""The figures of an analysis as CSV files and as one JSON document."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from nas.analysis.analyse import Analysis
from nas.analysis.attention import UnitAttention
from nas.analysis.shift import Shift, sentence, stage_shifts, unit_shifts

Row: TypeAlias = Sequence[str | int | float | None]


def csv_files(analysis: Analysis) -> dict[str, str]:
    """Name -> text of every CSV file."""
    return {
        "attention.csv": attention_csv(analysis),
        "shift.csv": shift_csv(analysis),
        "classes.csv": classes_csv(analysis),
        "channels.csv": channels_csv(analysis),
    }


def attention_csv(analysis: Analysis) -> str:
    """One line per unit and scale: Figure 3, right, and the mean weight of each branch.

    ``attention_1`` and so on have the order of ``kernels``, the sides of the branches' kernels.
    """
    widest = max(len(one.unit.kernels) for one in analysis.attention.units)
    head = ["unit", "stage", "index", "kernels", "scale", "images", "mean_difference", "std"]
    rows: list[Row] = []
    for one in analysis.attention.units:
        kernels = " ".join(map(str, one.unit.kernels))
        for number, scale in enumerate(analysis.attention.scales):
            difference = one.difference[number]
            std = float(difference.std(ddof=1)) if len(difference) > 1 else None
            means: list[float | None] = [float(mean) for mean in one.branches[number].mean(0)]
            means += [None] * (widest - len(means))
            figures = [scale, analysis.images, float(difference.mean()), std, *means]
            rows.append([*_place(one), kernels, *figures])
    return _text([*head, *(f"attention_{branch + 1}" for branch in range(widest))], rows)


def shift_csv(analysis: Analysis) -> str:
    """One line per unit and scale after the first: the paired shift and its 95 % interval."""
    first, *others = analysis.attention.scales
    head = ["unit", "stage", "index", "from_scale", "to_scale", "images", "mean_shift"]
    rows: list[Row] = []
    for one in analysis.attention.units:
        for scale, shift in zip(others, unit_shifts(one.difference), strict=True):
            ends = [shift.low, shift.high, str(shift.excludes_0).lower()]
            rows.append([*_place(one), first, scale, shift.images, shift.mean, *ends])
    return _text([*head, "low", "high", "excludes_0"], rows)


def classes_csv(analysis: Analysis) -> str:
    """One line per unit, class and scale: Figure 4. Classes without images are left out."""
    rows: list[Row] = []
    labels = analysis.attention.labels
    for one in analysis.attention.units:
        for label in np.unique(labels):
            of_class = labels == label
            name = analysis.data.class_names[label]
            for number, scale in enumerate(analysis.attention.scales):
                mean = float(one.difference[number, of_class].mean())
                rows.append([one.unit.name, name, scale, int(of_class.sum()), mean])
    return _text(["unit", "class", "scale", "images", "mean_difference"], rows)


def channels_csv(analysis: Analysis) -> str:
    """One line per unit, scale and channel (from 0): Figure 3, left, before channels are grouped."""
    rows: list[Row] = [
        [one.unit.name, scale, channel, float(value)]
        for one in analysis.attention.units
        for scale, values in zip(analysis.attention.scales, one.channels, strict=True)
        for channel, value in enumerate(values)
    ]
    return _text(["unit", "scale", "channel", "attention_of_larger"], rows)


def document(analysis: Analysis) -> dict[str, Any]:
    """The options, every shift, and a sentence per stage, as one JSON document."""
    attention = analysis.attention
    return {
        "checkpoint": str(analysis.checkpoint),
        "key": analysis.info.spec.key,
        "label": analysis.info.spec.label,
        "data": analysis.data.name,
        "split": analysis.split,
        "images": analysis.images,
        "scales": list(attention.scales),
        "units": [
            {
                "unit": one.unit.name,
                "stage": one.unit.stage,
                "kernels": list(one.unit.kernels),
                "mean_difference": [float(mean) for mean in one.difference.mean(1)],
                "shifts": _shifts(attention.scales, unit_shifts(one.difference)),
            }
            for one in attention.units
        ],
        "stages": [
            {
                "stage": stage.stage,
                "units": len(stage.units),
                "shifts": _shifts(attention.scales, stage.shifts),
                "sentence": sentence(stage, attention.scales),
            }
            for stage in stage_shifts(attention)
        ],
    }


def _shifts(scales: Sequence[float], shifts: Sequence[Shift]) -> list[dict[str, Any]]:
    return [
        {
            "scale": scale,
            "mean": shift.mean,
            "low": shift.low,
            "high": shift.high,
            "excludes_0": shift.excludes_0,
        }
        for scale, shift in zip(scales[1:], shifts, strict=True)
    ]


def _place(one: UnitAttention) -> list[str | int]:
    return [one.unit.name, one.unit.stage, one.unit.index]


def _text(head: Sequence[str], rows: Iterable[Row]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue()


def _cell(value: str | int | float | None) -> str | int | None:
    return f"{value:.10g}" if isinstance(value, float) else value
