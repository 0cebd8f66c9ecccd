"""Formats of search.yaml: what earlier versions wrote is read as this version writes it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from blocks.errors import InvalidInput
from nas.searching.execution import nested

FORMAT: Final = 2
"""Of search.yaml and of what the study keeps; raised when an older program could not read them.

1: the fields of ``execution`` stood beside the others; the first files named no format. 2: today's.
"""


def current_layout(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a SearchConfig, of any readable format, in the layout of ``FORMAT``.

    Raises:
        InvalidInput: A later version wrote them, or they ask for what was removed.
    """
    found = fields.get("format", FORMAT)
    if isinstance(found, int) and found > FORMAT:
        raise InvalidInput(
            f"format {found}, written by sknas {fields.get('written_by', '?')}; this is "
            f"sknas {version('sknas')}, which reads formats 1 to {FORMAT}"
        )
    current = nested(_without_zero_cost_scores(fields))
    return {**current, "format": FORMAT} if found == 1 else current


def _without_zero_cost_scores(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.get("warm_start") is not None:
        raise InvalidInput(
            f"warm_start: {fields['warm_start']}: zero-cost scores were removed: they ranked "
            "networks no better than multiply-adds (docs/results/zero_cost)"
        )
    return {name: value for name, value in fields.items() if name != "warm_start"}
