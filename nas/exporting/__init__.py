"""The last step of the workflow: a bundle with the deployment artifacts of one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.exporting.bundle import bench as bench
    from nas.exporting.bundle import export_bundle as export_bundle
    from nas.exporting.bundle import installed as installed
    from nas.exporting.int8 import MOST_LOST as MOST_LOST
    from nas.exporting.manifest import Artifact as Artifact
    from nas.exporting.manifest import File as File
    from nas.exporting.manifest import Latency as Latency
    from nas.exporting.manifest import Manifest as Manifest
    from nas.exporting.manifest import Parity as Parity
    from nas.exporting.places import SHIPPED as SHIPPED
    from nas.exporting.subject import bundle_subject as bundle_subject
    from nas.exporting.subject import is_bundle as is_bundle
    from nas.exporting.suite import Benchmark as Benchmark
    from nas.exporting.suite import benchmarks_of as benchmarks_of
    from nas.exporting.suite import write_suite as write_suite
    from nas.exporting.targets import TARGETS as TARGETS
    from nas.exporting.targets import Precision as Precision

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.exporting.places": ["SHIPPED"],
        "nas.exporting.bundle": ["bench", "export_bundle", "installed"],
        "nas.exporting.int8": ["MOST_LOST"],
        "nas.exporting.manifest": ["Artifact", "File", "Latency", "Manifest", "Parity"],
        "nas.exporting.subject": ["bundle_subject", "is_bundle"],
        "nas.exporting.suite": ["Benchmark", "benchmarks_of", "write_suite"],
        "nas.exporting.targets": ["TARGETS", "Precision"],
    },
)
