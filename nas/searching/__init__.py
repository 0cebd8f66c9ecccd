"""The search: proposals, gates, executors, and the loop that ties them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.searching.candidates import find_candidates as find_candidates
    from nas.searching.checks import check_cluster_options as check_cluster_options
    from nas.searching.config import SearchConfig as SearchConfig
    from nas.searching.reading import read_config as read_config
    from nas.searching.reading import read_front as read_front
    from nas.searching.reading import read_run as read_run
    from nas.searching.run import resume_search as resume_search
    from nas.searching.run import start_search as start_search
    from nas.searching.study import watch_study as watch_study

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.searching.candidates": ["find_candidates"],
        "nas.searching.checks": ["check_cluster_options"],
        "nas.searching.config": ["SearchConfig"],
        "nas.searching.reading": ["read_config", "read_front", "read_run"],
        "nas.searching.run": ["resume_search", "start_search"],
        "nas.searching.study": ["watch_study"],
    },
)
