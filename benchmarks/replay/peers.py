"""The searchers that ours are compared with, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from curves.table import CurveTable
from replay.optuna_peers import OPTUNA
from replay.syne_tune_peers import SYNE_TUNE
from replay.trace import Trace

from search_spaces import SearchSpace

Run: TypeAlias = Callable[[CurveTable, SearchSpace, int, int, int], Trace]
"""Called with the table, its bound space, the seed, the workers and the budget in epochs."""

PEERS: dict[str, Run] = {**OPTUNA, **SYNE_TUNE}
