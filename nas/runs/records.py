"""What a search knows of each network it proposed, free of the library that stores it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blocks import ArchSpec

ERROR = "error"
"""The objective that training gives: the share of misclassified validation images, 0 to 1."""


class TrialState(Enum):
    """What has become of a trial.

    Attributes:
        QUEUED: Proposed; its training has not begun, or waits for a search that is resumed.
        RUNNING: In training.
        PAUSED: Waits at a rung.
        TRAINED: Trained in full.
        STOPPED: Given up at a rung.
        DUPLICATE: Proposes a network that was proposed before, and takes over its result.
        INFEASIBLE: Over a budget; never trained.
        FAILED: Its training failed.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    TRAINED = "trained"
    STOPPED = "stopped"
    DUPLICATE = "duplicate"
    INFEASIBLE = "infeasible"
    FAILED = "failed"


@dataclass(frozen=True)
class RungResult:
    """A point at which a training paused or ended.

    Attributes:
        epochs: Trained so far.
        error: Validation error there, 0 to 1.
        loss: Training loss, mean over the epoch that ended there.
        order: How many such points, of all trials of the search, came before.
    """

    epochs: int
    error: float
    loss: float
    order: int


@dataclass(frozen=True)
class TrialRecord:
    """One proposal of a search.

    Attributes:
        number: Of the trial; its folder is trials/<number>.
        key: Canonical key of the network.
        spec: The network.
        state: What has become of it.
        values: One figure per objective; empty unless trained, or a duplicate of a trained one.
        note: Why it is infeasible, was stopped or has failed, or which trial it repeats.
        rung_results: Where its training has paused or ended so far, in order.
        target_epoch: Epochs that it was last set to train to; 0: it was not begun.
        over: Costs whose limits it does not keep; empty unless infeasible.
    """

    number: int
    key: str
    spec: ArchSpec
    state: TrialState
    values: tuple[float, ...] = ()
    note: str = ""
    rung_results: tuple[RungResult, ...] = ()
    target_epoch: int = 0
    over: tuple[str, ...] = ()

    @property
    def epochs(self) -> int:
        """Epochs trained so far, as far as the study knows."""
        return self.rung_results[-1].epochs if self.rung_results else 0
