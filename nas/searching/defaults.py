"""Defaults that depend on other fields: early stopping, and the recipe of trainings that pause."""

from __future__ import annotations

from typing import Any

from nas.searching.early_stopping.snapshot import ETA
from nas.searching.names import recipe_fields
from nas.searching.samplers import TAKE_PAUSED
from nas.training import Recipe

PAUSING = "rungs"
"""The recipe of trainings that pause, when none is given."""


def with_early_stopping(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a SearchConfig with early stopping and its recipe where they are not given."""
    recipe = fields.get("recipe", PAUSING)
    if isinstance(recipe, dict) and "name" not in recipe:
        recipe = {"name": PAUSING, **recipe}
    early = {"early_stopping": "forecast", **fields, "recipe": recipe}
    if early["early_stopping"] == "none":
        return fields
    return early if "early_stopping" in fields or _saves_epochs(early) else fields


def _saves_epochs(fields: dict[str, Any]) -> bool:
    """Whether trainings pause unasked.

    Measured (docs/results/search_efficiency): with a fixed number of epochs early stopping finds better
    fronts, with a fixed number of trials worse ones. It is the default where epochs are bounded.
    """
    if fields.get("total_epochs") is None or fields.get("sampler", "forecast") not in TAKE_PAUSED:
        return False
    recipe = recipe_fields(fields["recipe"])
    whole = recipe.epochs if isinstance(recipe, Recipe) else dict(recipe)["epochs"]
    epochs = fields.get("inherit") or whole
    return isinstance(epochs, int) and epochs >= ETA
