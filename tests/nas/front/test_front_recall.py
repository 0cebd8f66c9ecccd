"""The hypervolume of pareto.json is taken where the front is the same, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.front import Front, non_dominated, recall_hypervolume
from nas.study import pareto_layers
from tests.nas.front.test_front import front_of

VALUES = [(0.5, 0.25), (0.25, 0.5)]
MARK = 0.125
"""A hypervolume that none of these fronts has."""


def points(objectives: int) -> st.SearchStrategy[list[tuple[float, ...]]]:
    few = st.sampled_from([-1.0, 0.0, 0.5, 1.0, float("inf")])
    figures = st.one_of(few, st.floats(allow_nan=False), st.integers(-3, 3))
    return st.lists(st.tuples(*[figures] * objectives), min_size=1, max_size=20)


@given(st.integers(1, 4).flatmap(points))
def test_what_no_other_dominates_is_optunas_first_layer(values: list[tuple[float, ...]]) -> None:
    layers = pareto_layers(np.asarray(values, dtype=float))
    assert non_dominated(values) == (layers == 0).tolist()


def test_of_no_points_none_is_dominated() -> None:
    assert non_dominated([]) == []


def recalled(values: Sequence[tuple[float, ...]], document: Any, file: Path) -> Front:
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    front = front_of(values)
    recall_hypervolume(front, file)
    return front


def stored() -> dict[str, Any]:
    return {**json.loads(front_of(VALUES).to_json()), "hypervolume": MARK}


def test_the_same_front_is_not_computed_again(tmp_path: Path) -> None:
    front = recalled(VALUES, stored(), tmp_path / "pareto.json")
    assert front.hypervolume == MARK
    assert json.loads(front.to_json()) == stored()
    assert front == front_of(VALUES)


@pytest.mark.parametrize(
    "change",
    [
        {"objectives": ["error", "params"]},
        {"reference": [1.0, 2.0]},
        {"front": []},
        {"front": None},
        {"hypervolume": None},
        {"hypervolume": 1.5},
        {"hypervolume": float("nan")},
        {"hypervolume": "0.5"},
    ],
    ids=str,
)
def test_another_front_is_computed(change: dict[str, Any], tmp_path: Path) -> None:
    front = recalled(VALUES, {**stored(), **change}, tmp_path / "pareto.json")
    assert front.hypervolume == front_of(VALUES).hypervolume


def test_a_trial_more_is_computed(tmp_path: Path) -> None:
    more = [*VALUES, (0.375, 0.375)]
    front = recalled(more, stored(), tmp_path / "pareto.json")
    assert front.hypervolume == front_of(more).hypervolume


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_a_damaged_file_is_ignored(text: str, tmp_path: Path) -> None:
    assert recalled(VALUES, text, tmp_path / "pareto.json") == front_of(VALUES)


def test_no_file_is_needed(tmp_path: Path) -> None:
    front = front_of(VALUES)
    recall_hypervolume(front, tmp_path / "pareto.json")
    assert front.hypervolume == front_of(VALUES).hypervolume
