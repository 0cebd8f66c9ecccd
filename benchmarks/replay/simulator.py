"""Trainings in virtual time: a table tells what an epoch gives, and what it takes."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Protocol

from curves.table import CurveTable
from replay.trace import Step, Trace


class Searcher(Protocol):
    """What proposes networks, and decides after every epoch whether a training goes on."""

    def suggest(self, number: int) -> str | None:
        """The key of the network that trial ``number`` trains; None: nothing before the next epoch."""
        ...

    def on_epoch(self, number: int, epoch: int, error: float) -> bool:
        """Whether trial ``number`` trains on after ``epoch`` epochs; no matter after the last one."""
        ...


@dataclass
class Machine:
    """Workers that train one network each.

    Args:
        table: What the trainings give.
        workers: How many.
    """

    table: CurveTable
    workers: int
    time: float = 0.0
    steps: list[Step] = field(default_factory=list)
    _begun: int = 0
    # Epochs that end: when, the order in which they were begun (of two that end at once the one begun
    # first comes first), trial, network.
    _ends: list[tuple[float, int, int, str]] = field(default_factory=list)
    _trained: dict[int, int] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Workers with nothing to do."""
        return self.workers - len(self._ends)

    def start(self, number: int, key: str) -> None:
        """Begin the next epoch of a trial, on a free worker."""
        self._begun += 1
        heapq.heappush(self._ends, (self.time + self.table.seconds[key], self._begun, number, key))

    def wait(self) -> Step:
        """Go to the end of the next epoch; its worker is free then."""
        self.time, _, number, key = heapq.heappop(self._ends)
        self._trained[number] = self._trained.get(number, 0) + 1
        step = Step(self.time, len(self.steps) + 1, key, self._trained[number], number)
        self.steps.append(step)
        return step


def simulate(
    searcher: Searcher, table: CurveTable, *, name: str, seed: int, workers: int, budget: int
) -> Trace:
    """Search until the budget is spent.

    Args:
        searcher: Asked for a network whenever a worker is free.
        table: What the trainings give.
        name: Of the searcher, for the trace.
        seed: Of the searcher, for the trace.
        workers: Trainings at a time.
        budget: Epochs, counted when they end; those that run when it is spent are lost.
    """
    machine = Machine(table, workers)
    trials = 0
    while len(machine.steps) < budget:
        while machine.free:
            key = searcher.suggest(trials)
            if key is None:
                break
            machine.start(trials, key)
            trials += 1
        if machine.free == workers:
            break  # the searcher has come to its end
        step = machine.wait()
        error = float(table.errors[step.key][step.trained - 1])
        goes_on = searcher.on_epoch(step.number, step.trained, error)
        if goes_on and step.trained < table.epochs:
            machine.start(step.number, step.key)
    return Trace(name, seed, workers, tuple(machine.steps))
