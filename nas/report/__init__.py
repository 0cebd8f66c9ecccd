"""The report: one self-contained HTML page about a run."""

from __future__ import annotations

from nas.report.material import Material, read_material
from nas.report.page import render_report, write_report

__all__ = ["Material", "read_material", "render_report", "write_report"]
