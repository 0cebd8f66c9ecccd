"""The trials of a run as a table of pandas."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

from blocks.errors import InvalidInput
from nas.runs import TrialRecord

if TYPE_CHECKING:
    import pandas


def to_dataframe(
    records: Sequence[TrialRecord], objectives: Sequence[str], front: Container[int]
) -> pandas.DataFrame:
    """One row per trial; see ``nas.Run.to_dataframe``.

    Raises:
        InvalidInput: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise InvalidInput(
            "to_dataframe: pandas is not installed; pip install 'sknas[notebook]'"
        ) from None
    return pandas.DataFrame([_row(one, objectives, front) for one in records])


def _row(one: TrialRecord, objectives: Sequence[str], front: Container[int]) -> dict[str, Any]:
    values = one.values or (math.nan,) * len(objectives)
    fields = one.spec.model_dump(mode="json")
    unit = fields.pop("unit")
    return {
        "trial": one.number,
        "state": one.state.value,
        **dict(zip(objectives, values, strict=True)),
        "epochs": one.epochs,
        "on_front": one.number in front,
        "key": one.key,
        "note": one.note,
        **fields,
        **{f"unit.{name}": value for name, value in unit.items()},
    }
