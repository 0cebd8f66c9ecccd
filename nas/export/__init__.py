"""The last step of the walk: a folder with a file that runs on the device."""

from __future__ import annotations

from nas.export.bundle import TARGETS, export_bundle
from nas.export.manifest import Artifact, File, Manifest, Parity

__all__ = ["TARGETS", "Artifact", "File", "Manifest", "Parity", "export_bundle"]
