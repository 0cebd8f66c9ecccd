"""The last step of the workflow: a bundle with the deployment artifacts of one network."""

from __future__ import annotations

from nas.export.bundle import SHIPPED, bench, export_bundle, installed
from nas.export.int8 import MOST_LOST
from nas.export.manifest import Artifact, File, Latency, Manifest, Parity
from nas.export.suite import Benchmark, benchmarks_of, write_suite
from nas.export.targets import TARGETS, Precision

__all__ = [
    "MOST_LOST",
    "SHIPPED",
    "TARGETS",
    "Artifact",
    "Benchmark",
    "File",
    "Latency",
    "Manifest",
    "Parity",
    "Precision",
    "bench",
    "benchmarks_of",
    "export_bundle",
    "installed",
    "write_suite",
]
