"""Defaults that depend on other fields: early stopping, and the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from blocks.checked_model import CheckedModel, Integer
from blocks.errors import InvalidInput
from nas.searching.early_stopping.snapshot import ETA
from nas.searching.names import recipe_fields
from nas.searching.samplers import TAKE_PAUSED
from nas.training import Recipe
from nas.training.default_recipe import SMALL, default_recipe, said
from nas.training.pretrained import PARENT

if TYPE_CHECKING:
    from nas.data import DataInfo
    from nas.searching.config import SearchConfig

PAUSING = "rungs"
"""The recipe of trainings that pause, when none is given."""


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


class RecipeChoice(CheckedModel):
    """The recipe of a search that named none.

    Attributes:
        name: Its name.
        given: Its fields that were given; ``epochs`` among them are kept.
        images: Images of an epoch, for which the search chose it when it began; None: not yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    given: tuple[str, ...] = ()
    images: Integer | None = None


def with_open_recipe(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a SearchConfig whose recipe is chosen when the search begins, if none is named.

    Until then it is that of large sets. Where early stopping, inherited weights, a number of epochs in
    all or an evaluator are asked for, lengths have to fit each other, and the recipe is not chosen.
    """
    recipe = fields.get("recipe", {})
    # A file that a search wrote has all fields of its recipe.
    if not isinstance(recipe, dict) or "name" in recipe or "schedule" in recipe:
        return fields
    pretrained = bool(fields.get("pretrained"))
    name, default = default_recipe(SMALL, pretrained=pretrained, trial=True)
    fields = {**fields, "recipe": {"name": name, "epochs": default.epochs, **recipe}}
    others = (fields.get(one) for one in ("inherit", "total_epochs", "evaluator"))
    if fields.get("early_stopping", "none") != "none" or any(one is not None for one in others):
        return fields
    return {**fields, "recipe_choice": {"name": name, "given": tuple(recipe)}}


def with_chosen_recipe(config: SearchConfig, info: DataInfo) -> SearchConfig:
    """The configuration of a search that begins on these images, with the recipe for their number."""
    choice = config.recipe_choice
    if choice is None:
        return config
    images = min(info.train_images, config.data.epoch_images or info.train_images)
    given = {name: getattr(config.recipe, name) for name in choice.given}
    name, recipe = default_recipe(
        images,
        pretrained=config.pretrained is not None,
        trial=True,
        batch_size=given.get("batch_size"),
    )
    return config.model_copy(
        update={
            "recipe": recipe.model_copy(update=given),
            "recipe_choice": RecipeChoice(name=name, given=choice.given, images=images),
        }
    )


def chosen(config: SearchConfig) -> Iterator[str]:
    """One line about the recipe, if the search has chosen it."""
    choice = config.recipe_choice
    if choice is not None and choice.images is not None:
        pretrained = config.pretrained is not None
        yield said(
            choice.name,
            config.recipe.epochs,
            choice.images,
            pretrained=pretrained,
            given="epochs" in choice.given,
        )


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
