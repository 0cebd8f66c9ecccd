"""Read a run: its configuration, its trials and its front."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from blocks.errors import InvalidInput
from blocks.yaml_files import parse, read_yaml
from nas.data.config import stored_data
from nas.front import Front, make_front, recall_hypervolume
from nas.naming import option
from nas.runs import RunFolder, TrialRecord
from nas.searching.acquisition import LINEAR
from nas.searching.config import SearchConfig
from nas.searching.confirm.stored import confirmed_records
from nas.searching.execution import place_of_field
from nas.study import read_study, records_of


def read_config(run: RunFolder, changes: Mapping[str, Any] | None = None) -> SearchConfig:
    """The configuration of a run.

    Args:
        run: Its folder.
        changes: New values of some fields, for a search that is resumed, those of ``execution`` by their
            plain names; None: the run is only read.

    Raises:
        InvalidInput: search.yaml is damaged, or a change is out of range.
    """
    fields = read_yaml(run.config)
    if isinstance(fields, dict) and changes is None:
        fields = {**fields, "warm_start": None}  # a run that began by zero-cost scores can be read
    changes = changes or {}
    if isinstance(fields, dict):
        # A search goes on as it began.
        fields = {"acquisition": LINEAR.model_dump(), **fields, **changes}
        fields["data"] = stored_data(fields.get("data"))
    typed = {".".join(place_of_field(name)): option(name) for name in changes}
    config = parse(SearchConfig, fields, str(run.config), typed)
    if config.reference is None or len(config.reference) != len(config.objectives):
        raise InvalidInput(f"{run.config}: reference: one figure per objective is missing")
    return with_record(config, run)


def with_record(config: SearchConfig, run: RunFolder) -> SearchConfig:
    """The configuration of a run, whose photographs are those of its splits.csv."""
    if not config.data.keeps_record:
        return config
    # The folder may have been moved since search.yaml was written.
    record = {"record": os.path.abspath(run.splits)}
    return config.model_copy(update={"data": config.data.model_copy(update=record)})


def read_run(run: RunFolder) -> tuple[SearchConfig, list[TrialRecord]]:
    """A run's configuration and all its proposals; writes nothing.

    Raises:
        InvalidInput: The files are damaged.
    """
    config = read_config(run)
    records = _records_of_file(config, run)
    if records is None:
        # Here: most runs are read without Optuna.
        from nas.searching.study import open_study
        from nas.study import read_records

        records = read_records(open_study(config, run, create=False))
    return config, records


def read_front(run: RunFolder) -> Front:
    """The front of a run as it stands, finished or not.

    After ``nas confirm`` errors are means over the trainings of a network.
    """
    config, records = read_run(run)
    records = confirmed_records(run, config, records)
    front = make_front(records, config.objectives, config.reference_point)
    recall_hypervolume(front, run.pareto)
    return front


def _records_of_file(config: SearchConfig, run: RunFolder) -> list[TrialRecord] | None:
    """The proposals, read without Optuna; None: Optuna has to read them, or to say what is wrong."""
    if config.execution.storage is not None:
        return None
    study = read_study(run.study, config.name)
    if study is None or study.objectives != len(config.objectives):
        return None
    # The first runs did not note the names.
    if study.metric_names not in (None, config.objectives):
        return None
    return records_of(study.trials)
