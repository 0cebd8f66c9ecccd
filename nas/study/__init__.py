"""What a search stores of its trials, and Optuna, which stores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.study.optuna_adapter import StudyWriter as StudyWriter
    from nas.study.optuna_adapter import best_subset as best_subset
    from nas.study.optuna_adapter import dominated_volume as dominated_volume
    from nas.study.optuna_adapter import pareto_layers as pareto_layers
    from nas.study.optuna_adapter import proposed_trials as proposed_trials
    from nas.study.optuna_adapter import quiet as quiet
    from nas.study.optuna_adapter import read_records as read_records
    from nas.study.sqlite_file import read_study as read_study
    from nas.study.stored import record_of as record_of
    from nas.study.stored import records_of as records_of

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.study.optuna_adapter": [
            "StudyWriter",
            "best_subset",
            "dominated_volume",
            "pareto_layers",
            "proposed_trials",
            "quiet",
            "read_records",
        ],
        "nas.study.sqlite_file": ["read_study"],
        "nas.study.stored": ["record_of", "records_of"],
    },
)
