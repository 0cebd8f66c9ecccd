"""What a rule of early stopping decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nas.searching.early_stopping.snapshot import TrialSnapshot, at_rung, waiting_at


class Rule(Protocol):
    """Says which waiting training continues. Pure: no state, no clock, no order of arrival."""

    def promote(
        self, snapshots: Sequence[TrialSnapshot], epochs_left: int | None, *, closing: bool
    ) -> str | None:
        """The key of the network to train on to its next rung.

        Args:
            snapshots: Every network whose training has begun and has not failed.
            epochs_left: How many more epochs may be trained; None: any number.
            closing: Whether no new network will be begun.

        Returns:
            Its key; None to begin with a new network instead.
        """
        ...


class Ordering(Protocol):
    """Which of the networks at a rung are good enough to continue."""

    def best(self, members: Sequence[TrialSnapshot], rung: int) -> list[str]:
        """Keys of those that may continue, the best first, of all ``members`` with an error there."""
        ...


class SuccessiveHalving:
    """Asynchronous promotion (Li et al., MLSys 2020, Algorithm 2) by an ordering of one's own.

    From the highest rung down, the best network that may continue and waits there continues. Nothing is
    stopped for ever: a network that was passed over is promoted later if those that come after it turn
    out worse.

    Args:
        rungs: Epochs at which trainings pause.
        ordering: Who may continue.
    """

    def __init__(self, rungs: tuple[int, ...], ordering: Ordering) -> None:
        self._rungs = rungs
        self._ordering = ordering

    def promote(
        self, snapshots: Sequence[TrialSnapshot], epochs_left: int | None, *, closing: bool
    ) -> str | None:
        """See `Rule.promote`; ``closing`` makes no difference here."""
        for rung in reversed(range(len(self._rungs) - 1)):
            step = self._rungs[rung + 1] - self._rungs[rung]
            waiting = {one.key for one in waiting_at(snapshots, rung)}
            if not waiting or (epochs_left is not None and step > epochs_left):
                continue
            for key in self._ordering.best(at_rung(snapshots, rung), rung):
                if key in waiting:
                    return key
        return None
