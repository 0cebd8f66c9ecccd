"""What can happen to a trial, one function per change; ``nas.searching.log`` refuses impossible ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blocks.wording import plural
from nas.cost import Violation
from nas.runs import RungResult, TrialState
from nas.searching.log import ENDED, TrialLog
from nas.study.stored import (
    DUPLICATE_OF,
    FAILURE,
    INFEASIBLE,
    RUNG_RESULTS,
    STOPPED,
    TARGET_EPOCH,
    stored,
)


def begin(log: TrialLog, number: int, target_epoch: int) -> None:
    """A trial is trained (on) until so many epochs."""
    log.move(number, TrialState.RUNNING, note=(TARGET_EPOCH, target_epoch))


def reach(log: TrialLog, number: int, epochs: int, error: float, loss: float) -> None:
    """A training has come to a rung, where it waits from now on, or to its end."""
    results = log.of(number).rung_results
    if epochs in [known.epochs for known in results]:
        return  # noted before a crash
    order = sum(len(one.rung_results) for one in log.records)
    noted = stored((*results, RungResult(epochs, error, loss, order)))
    log.move(number, TrialState.PAUSED, note=(RUNG_RESULTS, noted))


def complete(log: TrialLog, number: int, values: Sequence[float]) -> None:
    """A trial that has come to its last rung has these objectives."""
    if any(math.isnan(value) for value in values):
        fail(log, number, f"an objective is not a number: {tuple(values)}")
        return
    log.move(number, TrialState.TRAINED, end=TrialState.TRAINED, values=values)
    _settle_duplicates(log, number)


def stop(log: TrialLog, number: int) -> None:
    """A trial that waits at a rung is given up; its network is not trained again."""
    said = f"stopped early, after {plural(log.of(number).epochs, 'epoch')}"
    log.move(number, TrialState.STOPPED, note=(STOPPED, said), end=TrialState.STOPPED)
    _settle_duplicates(log, number)


def fail(log: TrialLog, number: int, reason: str) -> None:
    """The training of a trial has failed; its network is not trained again."""
    log.move(number, TrialState.FAILED, note=(FAILURE, reason), end=TrialState.FAILED)
    _settle_duplicates(log, number)


def refuse(log: TrialLog, number: int, violations: Sequence[Violation]) -> None:
    """A proposal is over budgets."""
    worst = max(violations, key=lambda violation: violation.excess)
    log.move(
        number,
        TrialState.INFEASIBLE,
        note=(INFEASIBLE, f"{worst.cost} {worst.value:g} > {worst.limit:g}"),
        excess={f"max_{violation.cost}": violation.excess for violation in violations},
        end=TrialState.INFEASIBLE,
    )


def repeat(log: TrialLog, number: int) -> None:
    """A trial proposes a network that was proposed before; it takes over the result, if there is one."""
    this = log.of(number)
    first = log.first_of(this.key)
    ended = first.state in ENDED
    log.move(
        number,
        TrialState.DUPLICATE,
        note=None if this.state is TrialState.DUPLICATE else (DUPLICATE_OF, first.number),
        end=first.state if ended else None,
        values=first.values,
    )


def _settle_duplicates(log: TrialLog, number: int) -> None:
    """Those that wait for the result of this trial take it over."""
    for one in log.waiting_duplicates(log.of(number).key):
        repeat(log, one.number)
