"""The search: proposals, gates, executors, and the loop that ties them."""

from __future__ import annotations

from nas.search.candidates import find_candidates
from nas.search.config import SearchConfig, check_cluster_options
from nas.search.run import read_config, read_front, read_run, resume_search, start_search
from nas.search.study import watch_study

__all__ = [
    "SearchConfig",
    "check_cluster_options",
    "find_candidates",
    "read_config",
    "read_front",
    "read_run",
    "resume_search",
    "start_search",
    "watch_study",
]
