"""Search spaces over ArchSpecs, as YAML files and as Optuna parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from search_spaces.definition import SpaceDefinition as SpaceDefinition
    from search_spaces.shipped import SPACES as SPACES
    from search_spaces.shipped import load_space as load_space
    from search_spaces.space import SearchSpace as SearchSpace

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "search_spaces.definition": ["SpaceDefinition"],
        "search_spaces.shipped": ["SPACES", "load_space"],
        "search_spaces.space": ["SearchSpace"],
    },
)
