"""Reads the content of the page from a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from nas.front import Front, FrontPoint, make_front
from nas.report.importance import Importance, measure_importance
from nas.report.quantities import digits, label
from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching import SearchConfig, read_config
from nas.searching.confirm import confirmed_records
from nas.searching.study import open_study
from nas.searching.uncertainty import Uncertainty, front_uncertainty
from nas.study import read_records
from nas.training import read_metrics
from nas.training.recipe import Metric


@dataclass(frozen=True)
class Material:
    """The content of a run, finished or not.

    Attributes:
        name: Name of the run on the command line.
        config: Configuration of its search.
        records: All its proposals, in order; after ``nas confirm`` with mean errors.
        curves: Number of a trial -> its validation error after each epoch; no entry without values.
        importance: The importance of each parameter for the error.
        uncertainty: The intervals of the errors of the front.
    """

    name: str
    config: SearchConfig
    records: tuple[TrialRecord, ...]
    curves: Mapping[int, tuple[float, ...]]
    importance: Importance
    uncertainty: Uncertainty = field(default_factory=Uncertainty)

    @cached_property
    def trained(self) -> tuple[TrialRecord, ...]:
        """The trained trials with finite objectives, the candidates for the front."""
        return tuple(
            one
            for one in self.records
            if one.state is TrialState.TRAINED and all(map(math.isfinite, one.values))
        )

    @cached_property
    def front(self) -> Front:
        """The current front."""
        return make_front(self.records, self.config.objectives, self.config.reference_point)

    @cached_property
    def knee(self) -> FrontPoint | None:
        """The knee point; None if nothing is trained."""
        return self.front.knee

    def label(self, objective: str) -> str:
        """The name of an objective of this search with its unit."""
        units = {own.name: own.unit for own in self.config.own_objectives}
        return label(objective, units.get(objective, ""), self.metric)

    def digits(self, objective: str, value: float) -> str:
        """A value of an objective in the unit of ``label``, as text."""
        return digits(objective, value, self.metric)

    @property
    def metric(self) -> Metric:
        """What the error of this search is."""
        return self.config.recipe.metric

    def count(self, outcome: TrialState) -> int:
        """Number of trials with ``outcome``."""
        return sum(one.state is outcome for one in self.records)


def read_material(run: RunFolder) -> Material:
    """Read a run, without writing to it.

    Raises:
        InvalidInput: Its files are damaged.
    """
    config = read_config(run)
    study = open_study(config, run, create=False)
    records = tuple(confirmed_records(run, config, read_records(study)))
    front = make_front(records, config.objectives, config.reference_point)
    return Material(
        name=run.name,
        config=config,
        records=records,
        curves=_read_curves(run, records),
        importance=measure_importance(study, config),
        uncertainty=front_uncertainty(run, front),
    )


def _read_curves(
    run: RunFolder, records: tuple[TrialRecord, ...]
) -> Mapping[int, tuple[float, ...]]:
    curves: dict[int, tuple[float, ...]] = {}
    for one in records:
        if one.state in (TrialState.INFEASIBLE, TrialState.DUPLICATE):
            continue  # never trained under this number
        epochs = read_metrics(run.trial(one.number))
        errors = tuple(epoch.val_error for epoch in epochs if epoch.val_error is not None)
        if errors:
            curves[one.number] = errors
    return MappingProxyType(curves)
