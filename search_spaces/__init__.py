"""Search spaces over ArchSpecs, as YAML files and as Optuna parameters."""

from __future__ import annotations

from search_spaces.definition import SpaceDefinition
from search_spaces.shipped import SPACES, load_space
from search_spaces.space import SearchSpace

__all__ = ["SPACES", "SearchSpace", "SpaceDefinition", "load_space"]
