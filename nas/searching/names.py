"""Types of fields that may be plain names in a file; validation puts in what the names stand for."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from blocks.errors import InvalidInput
from nas.cost import LatencyTable, load_table
from nas.data import DataConfig
from nas.plugins import is_reference
from nas.runs import checked_name
from nas.searching.samplers import SAMPLERS
from nas.training import RECIPES, Recipe
from search_spaces import SpaceDefinition, load_space


def recipe_fields(value: Any) -> Any:
    """What a name, or a name with changes, stands for: a Recipe, or its fields still to be checked."""
    if isinstance(value, str):
        return RECIPES[value]
    if isinstance(value, dict):
        changes = dict(value)
        return RECIPES[changes.pop("name", "proxy")].model_dump() | changes
    return value


def _space(value: Any) -> Any:
    return load_space(value).definition if isinstance(value, str) else value


def _data(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _device(value: Any) -> Any:
    return load_table(value) if isinstance(value, str) else value


def _run_name(value: str) -> str:
    # It names a folder, of the logs, too: search.yaml may come from anywhere.
    checked_name(value)
    return value


def _sampler(value: str) -> str:
    if not is_reference(value) and value not in SAMPLERS:
        raise InvalidInput(f"unknown sampler {value!r}; allowed: {', '.join(SAMPLERS)}")
    return value


NamedSpace: TypeAlias = Annotated[SpaceDefinition, BeforeValidator(_space)]
NamedData: TypeAlias = Annotated[DataConfig, BeforeValidator(_data)]
NamedRecipe: TypeAlias = Annotated[Recipe, BeforeValidator(recipe_fields)]
NamedDevice: TypeAlias = Annotated[LatencyTable, BeforeValidator(_device)]
RunName: TypeAlias = Annotated[str, AfterValidator(_run_name)]
SamplerName: TypeAlias = Annotated[str, AfterValidator(_sampler)]
