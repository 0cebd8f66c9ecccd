"""Networks as rows of figures that a regression can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blocks import ArchSpec

Matrix = NDArray[np.float64]


Network: TypeAlias = "ArchSpec | Mapping[str, object]"
"""A network, or its fields alone: a table of others' networks has no more."""


def features_of(networks: Sequence[Network], costs: Sequence[tuple[float, ...]]) -> Matrix:
    """One row a network, one standardised column a property in which they differ.

    Numbers are taken by their logarithm; lists of numbers (dilations) by length, largest and mean;
    names, switches and what is absent by one column a value; costs by their logarithm.

    Args:
        networks: N of them.
        costs: Of each.

    Returns:
        (N, F); F may be 0 when nothing differs.
    """
    rows = [
        _flat(one.model_dump(mode="json") if isinstance(one, ArchSpec) else one) for one in networks
    ]
    names = sorted({name for row in rows for name in row})
    columns: list[Matrix] = []
    for name in names:
        columns += _columns([row.get(name) for row in rows])
    columns += [_log(column) for column in zip(*costs, strict=True)]
    varied = [column for column in columns if np.ptp(column) > 0]
    if not varied:
        return np.zeros((len(networks), 0))
    matrix = np.stack(varied, axis=1)
    standard: Matrix = (matrix - matrix.mean(0)) / matrix.std(0)
    return standard


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Path of a field -> its value."""
    if isinstance(value, Mapping):
        flat: dict[str, Any] = {}
        for name, part in value.items():
            flat |= _flat(part, f"{path}.{name}")
        return flat
    return {path: value}


def _columns(values: list[Any]) -> list[Matrix]:
    if all(_is_number(value) for value in values):
        return [_log(values)]
    if all(isinstance(value, list) and value and all(map(_is_number, value)) for value in values):
        return [
            np.asarray([len(value) for value in values], dtype=float),
            _log([max(value) for value in values]),
            _log([sum(value) / len(value) for value in values]),
        ]
    distinct = sorted({repr(value) for value in values})
    # One less than there are values: the last follows from the others.
    return [np.asarray([float(repr(value) == one) for value in values]) for one in distinct[:-1]]


def _log(values: Sequence[float]) -> Matrix:
    """By the logarithm, on both sides of zero: blocks are also counted from the end, as -1."""
    column = np.asarray(values, dtype=float)
    signed: Matrix = np.sign(column) * np.log1p(np.abs(column))
    return signed


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
