"""The hypervolume of a front that pareto.json keeps already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nas.front.front import Front


def recall_hypervolume(front: Front, file: Path) -> None:
    """Have ``front`` take its hypervolume from ``file`` if that holds the same front.

    Optuna computes it otherwise, when it is first asked for.

    Args:
        front: As the trials make it.
        file: pareto.json of the run; one that is missing, damaged or out of date is ignored.
    """
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
        volume, same = document["hypervolume"], _is_of(front, document)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return
    if same and isinstance(volume, float) and 0 <= volume <= 1:
        vars(front)["hypervolume"] = volume  # as cached_property keeps it


def _is_of(front: Front, document: Any) -> bool:
    """Whether ``document`` has the objectives, the reference and the points of ``front``."""
    points = [(one["trial"], one["key"], one["values"]) for one in document["front"]]
    figures = (tuple(document["objectives"]), tuple(document["reference"]), points)
    own = [
        (one.trial, one.key, dict(zip(front.objectives, one.values, strict=True)))
        for one in front.points
    ]
    return figures == (front.objectives, front.reference, own)
