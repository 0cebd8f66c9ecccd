"""Data sets: loading, splitting, augmenting and batching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.data.config import DataConfig as DataConfig
    from nas.data.interface import Batches as Batches
    from nas.data.interface import Data as Data
    from nas.data.interface import DataInfo as DataInfo
    from nas.data.registry import DATASETS as DATASETS
    from nas.data.registry import load_data as load_data
    from nas.data.splits import Datasets as Datasets

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.data.config": ["DataConfig"],
        "nas.data.interface": ["Batches", "Data", "DataInfo"],
        "nas.data.registry": ["DATASETS", "load_data"],
        "nas.data.splits": ["Datasets"],
    },
)
