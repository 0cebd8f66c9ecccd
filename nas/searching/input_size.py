"""The images of a network in a search whose space varies their size."""

from __future__ import annotations

from blocks import ArchSpec
from nas.data import DataConfig
from nas.searching.config import SearchConfig
from search_spaces.fields import INPUT_SIZE


def data_for(spec: ArchSpec, config: SearchConfig) -> DataConfig:
    """The images of a search, scaled for ``spec`` where the space varies their size."""
    if INPUT_SIZE not in config.space.vary:
        return config.data
    return config.data.model_copy(update={"input_size": spec.input_size})
