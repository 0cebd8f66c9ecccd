"""What a client refuses, or answers wrongly, by a fault of its own, in the version that is pinned."""

from __future__ import annotations

from dataclasses import dataclass

WRONG = "wrong classes"
"""Message of a client that answers, and wrongly."""
SHUFFLE_NETS = ("plain", "se", "sk", "grey")


@dataclass(frozen=True)
class Fault:
    """A reason why a client does not take a file.

    Attributes:
        clients: Names in CLIENTS.
        files: Names of files.
        message: In what the client says; WRONG for one that says nothing.
        reason: What it lacks, in a sentence.
        networks: Names in NETWORKS; None: all.
    """

    clients: tuple[str, ...]
    files: tuple[str, ...]
    message: str
    reason: str
    networks: tuple[str, ...] | None = None


FAULTS = (
    Fault(
        ("MediaPipe",),
        ("tflite-int8",),
        "Requested one of these types: uint8/float32",
        "The ImageClassifier takes uint8 and float32 alone: export with --io uint8.",
    ),
)


def fault_of(client: str, file: str, network: str) -> Fault | None:
    """The fault that is known of these."""
    for one in FAULTS:
        if client in one.clients and file in one.files and network in (one.networks or (network,)):
            return one
    return None
