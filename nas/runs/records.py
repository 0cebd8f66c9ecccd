"""What a search knows of each network it proposed, free of the library that stores it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from blocks import ArchSpec

ERROR = "error"
"""The objective that training gives: the share of validation images named wrongly, 0 to 1."""


class Outcome(Enum):
    """What has become of a trial."""

    RUNNING = "running"
    TRAINED = "trained"
    REPLAYED = "replayed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class TrialRecord:
    """One proposal of a search.

    Attributes:
        number: Of the trial; its folder is trials/<number>.
        key: Canonical key of the network.
        spec: The network.
        outcome: What has become of it.
        values: One figure per objective; empty unless trained or replayed.
        note: Why it was refused or has failed, or which trial it repeats.
    """

    number: int
    key: str
    spec: ArchSpec
    outcome: Outcome
    values: tuple[float, ...] = ()
    note: str = ""
