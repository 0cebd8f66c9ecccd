"""Data sets: loading, splitting, augmenting and batching."""

from __future__ import annotations

from nas.data.config import DataConfig
from nas.data.interface import Batches, Data, DataInfo
from nas.data.registry import DATASETS, load_data
from nas.data.splits import Datasets

__all__ = ["DATASETS", "Batches", "Data", "DataConfig", "DataInfo", "Datasets", "load_data"]
