"""What a search stores of its trials in an Optuna study, read without importing Optuna."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any, Final, Protocol

from blocks import ArchSpec
from nas.runs import RungResult, TrialRecord, TrialState

# Attributes of a trial. The proposal is written in one piece: a trial has it whole or was not proposed.
PROPOSAL: Final = "proposal"
DUPLICATE_OF: Final = "duplicate_of"
INFEASIBLE: Final = "infeasible"
FAILURE: Final = "failure"
RUNG_RESULTS: Final = "rung_results"
TARGET_EPOCH: Final = "target_epoch"
STOPPED: Final = "stopped"
_OLD_NAMES: Final = {
    DUPLICATE_OF: "replay_of",
    INFEASIBLE: "refused",
    RUNG_RESULTS: "rungs",
    TARGET_EPOCH: "until",
}
"""Names that studies of version 0.1.0 have. They are read; the new names are written."""


class StoredState(Protocol):
    """A state of Optuna's: RUNNING, WAITING, COMPLETE, PRUNED or FAIL."""

    @property
    def name(self) -> str:
        """Its name."""


class StoredTrial(Protocol):
    """A trial as a study stores it. Optuna's ``FrozenTrial`` is one."""

    @property
    def number(self) -> int:
        """From 0, in the order of the study."""

    @property
    def state(self) -> StoredState:
        """What Optuna knows of its state."""

    @property
    def values(self) -> Sequence[float] | None:
        """One figure per objective; None without."""

    @property
    def user_attrs(self) -> Mapping[str, Any]:
        """The attributes above."""

    @property
    def constraints(self) -> Mapping[str, float]:
        """Name of a limit -> by how much it is exceeded."""


def records_of(trials: Iterable[StoredTrial]) -> list[TrialRecord]:
    """The records of all proposals among ``trials``.

    A trial that was cut off before it was a proposal is left out.
    """
    return [record_of(trial) for trial in trials if PROPOSAL in trial.user_attrs]


def record_of(trial: StoredTrial) -> TrialRecord:
    """A stored trial as a record; it must have been proposed."""
    proposed = trial.user_attrs[PROPOSAL]
    state = _state_of(trial)
    notes = {
        TrialState.STOPPED: _attribute(trial, STOPPED, ""),
        TrialState.INFEASIBLE: _attribute(trial, INFEASIBLE, ""),
        TrialState.FAILED: _attribute(trial, FAILURE, ""),
        TrialState.DUPLICATE: f"same network as trial {_attribute(trial, DUPLICATE_OF)}",
    }
    return TrialRecord(
        number=trial.number,
        key=proposed["key"],
        spec=ArchSpec.stored(proposed["arch"], proposed["key"]),
        state=state,
        values=tuple(trial.values or ()),
        note=notes.get(state, ""),
        rung_results=_rung_results(trial),
        target_epoch=_attribute(trial, TARGET_EPOCH, 0),
        over=_over(trial) if state is TrialState.INFEASIBLE else (),
    )


def stored(results: Sequence[RungResult]) -> list[tuple[Any, ...]]:
    """Rung results as an attribute holds them."""
    return [astuple(one) for one in results]


def proposal(spec: ArchSpec) -> dict[str, Any]:
    """A network as the attribute ``PROPOSAL`` holds it."""
    return {"key": spec.key, "arch": spec.model_dump(mode="json")}


def _over(trial: StoredTrial) -> tuple[str, ...]:
    """The costs of an infeasible network whose limits it exceeds."""
    excesses = trial.constraints.items()
    return tuple(name.removeprefix("max_") for name, excess in excesses if excess > 0)


def _state_of(trial: StoredTrial) -> TrialState:
    """The state of a trial, from what is stored and nothing else."""
    if _attribute(trial, DUPLICATE_OF) is not None:
        return TrialState.DUPLICATE
    known = trial.state.name
    if known == "COMPLETE":
        return TrialState.TRAINED
    if known == "FAIL":
        return TrialState.FAILED
    if known == "PRUNED":
        stopped = _attribute(trial, STOPPED) is not None
        return TrialState.STOPPED if stopped else TrialState.INFEASIBLE
    target, results = _attribute(trial, TARGET_EPOCH, 0), _rung_results(trial)
    if results and results[-1].epochs == target:
        return TrialState.PAUSED
    begun = target and known == "RUNNING"
    return TrialState.RUNNING if begun else TrialState.QUEUED


def _rung_results(trial: StoredTrial) -> tuple[RungResult, ...]:
    return tuple(RungResult(*one) for one in _attribute(trial, RUNG_RESULTS, ()))


def _attribute(trial: StoredTrial, name: str, default: Any = None) -> Any:
    attributes = trial.user_attrs
    return attributes.get(name, attributes.get(_OLD_NAMES.get(name, name), default))
