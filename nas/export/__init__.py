"""The last step of the walk: a folder with a file that runs on the device."""

from __future__ import annotations

from nas.export.bundle import SHIPPED, bench, export_bundle, installed
from nas.export.int8 import MOST_LOST
from nas.export.kit import Piece, pieces_of, write_kit
from nas.export.manifest import Artifact, File, Latency, Manifest, Parity
from nas.export.targets import TARGETS, Precision

__all__ = [
    "MOST_LOST",
    "SHIPPED",
    "TARGETS",
    "Artifact",
    "File",
    "Latency",
    "Manifest",
    "Parity",
    "Piece",
    "Precision",
    "bench",
    "export_bundle",
    "installed",
    "pieces_of",
    "write_kit",
]
