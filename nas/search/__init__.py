"""The search: proposals, gates, executors, and the loop that ties them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.search.candidates import find_candidates as find_candidates
    from nas.search.config import SearchConfig as SearchConfig
    from nas.search.config import check_cluster_options as check_cluster_options
    from nas.search.run import read_config as read_config
    from nas.search.run import read_front as read_front
    from nas.search.run import read_run as read_run
    from nas.search.run import resume_search as resume_search
    from nas.search.run import start_search as start_search
    from nas.search.study import watch_study as watch_study

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.search.candidates": ["find_candidates"],
        "nas.search.config": ["SearchConfig", "check_cluster_options"],
        "nas.search.run": [
            "read_config",
            "read_front",
            "read_run",
            "resume_search",
            "start_search",
        ],
        "nas.search.study": ["watch_study"],
    },
)
