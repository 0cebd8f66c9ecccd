"""Budgets from what a person gave: ``max_mflops=8``, or any objective's name with a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from blocks.errors import InvalidInput
from nas.naming import option

if TYPE_CHECKING:
    from nas.cost import Budgets


def budgets_of(limits: Mapping[str, float | None]) -> Budgets:
    """Budgets from limits by name, ``max_NAME``; those that are None are left out.

    Raises:
        InvalidInput: A limit that is not a number above 0.
    """
    given = {name: value for name, value in limits.items() if value is not None}
    for name, value in given.items():
        if not name.startswith("max_"):
            raise InvalidInput(f"{name}: unknown limit; allowed: max_mflops, max_params, max_NAME")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and 0 < value < math.inf):
            raise InvalidInput(f"{option(name, value)}: allowed: a number above 0")
    from nas.cost import Budgets

    return Budgets(**given)
