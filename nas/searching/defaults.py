"""Defaults that depend on other fields: early stopping, and the recipe."""

from __future__ import annotations

from typing import Any

from blocks.errors import InvalidInput
from nas.searching.early_stopping.snapshot import ETA
from nas.searching.names import recipe_fields
from nas.searching.samplers import TAKE_PAUSED
from nas.training import Recipe
from nas.training.pretrained import PARENT
from nas.training.recipe import FINE_TUNE

PAUSING = "rungs"
"""The recipe of trainings that pause, when none is given."""
FINE_TUNE_EPOCHS = 3
"""Epochs of a trial that starts from pretrained weights, when none are given."""


def with_pretrained(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a SearchConfig with the pretrained weights as a table; ``parent`` becomes ``inherit``.

    Raises:
        InvalidInput: Both are given, or ``inherit`` has another source.
    """
    start = fields.get("pretrained")
    if isinstance(start, str):
        start = {"source": start}
    if not isinstance(start, dict):
        return fields
    start = {"source" if name == "name" else name: value for name, value in start.items()}
    if "source" not in start:
        raise InvalidInput("pretrained_missing: only with pretrained")
    if start["source"] != PARENT:
        if fields.get("inherit") is not None:
            raise InvalidInput(
                f"pretrained: {start['source']}: inherit starts from the plain network that the search "
                f"trains; allowed: one of them, or pretrained: {PARENT}"
            )
        return {**fields, "pretrained": start}
    fields = {**fields, "pretrained": None}
    if fields.get("inherit") is None:
        recipe = recipe_fields(with_early_stopping(fields).get("recipe", "proxy"))
        fields["inherit"] = recipe.epochs if isinstance(recipe, Recipe) else recipe["epochs"]
    return fields


def with_early_stopping(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a SearchConfig with early stopping and its recipe where they are not given."""
    recipe = fields.get("recipe", PAUSING)
    if isinstance(recipe, dict) and "name" not in recipe:
        recipe = {"name": PAUSING, **recipe}
    early = {"early_stopping": "forecast", **fields, "recipe": recipe}
    if early["early_stopping"] == "none":
        return fields
    return early if "early_stopping" in fields or _saves_epochs(early) else fields


def with_fine_tuning(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a SearchConfig whose networks are fine-tuned, if they start from pretrained weights."""
    if not fields.get("pretrained"):
        return fields
    recipe = fields.get("recipe", {})
    # A file that a search wrote has all fields of its recipe.
    if not isinstance(recipe, dict) or "name" in recipe or "schedule" in recipe:
        return fields
    return {**fields, "recipe": {"name": FINE_TUNE, "epochs": FINE_TUNE_EPOCHS, **recipe}}


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
