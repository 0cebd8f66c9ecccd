"""The pages of a run, of an evaluation and of a check of photographs: self-contained HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.report.data_check import write_data_check as write_data_check
    from nas.report.evaluation import write_evaluation as write_evaluation
    from nas.report.material import Material as Material
    from nas.report.material import read_material as read_material
    from nas.report.page import render_report as render_report
    from nas.report.page import write_report as write_report

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.report.data_check": ["write_data_check"],
        "nas.report.evaluation": ["write_evaluation"],
        "nas.report.material": ["Material", "read_material"],
        "nas.report.page": ["render_report", "write_report"],
    },
)
