"""The last step of the workflow: a bundle with the deployment artifacts of one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.export.bundle import bench as bench
    from nas.export.bundle import export_bundle as export_bundle
    from nas.export.bundle import installed as installed
    from nas.export.int8 import MOST_LOST as MOST_LOST
    from nas.export.manifest import Artifact as Artifact
    from nas.export.manifest import File as File
    from nas.export.manifest import Latency as Latency
    from nas.export.manifest import Manifest as Manifest
    from nas.export.manifest import Parity as Parity
    from nas.export.places import SHIPPED as SHIPPED
    from nas.export.suite import Benchmark as Benchmark
    from nas.export.suite import benchmarks_of as benchmarks_of
    from nas.export.suite import write_suite as write_suite
    from nas.export.targets import TARGETS as TARGETS
    from nas.export.targets import Precision as Precision

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.export.places": ["SHIPPED"],
        "nas.export.bundle": ["bench", "export_bundle", "installed"],
        "nas.export.int8": ["MOST_LOST"],
        "nas.export.manifest": ["Artifact", "File", "Latency", "Manifest", "Parity"],
        "nas.export.suite": ["Benchmark", "benchmarks_of", "write_suite"],
        "nas.export.targets": ["TARGETS", "Precision"],
    },
)
