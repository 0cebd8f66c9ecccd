"""The attention of a trained network: Figures 3 and 4 of SKNet for any network with SK units."""

from __future__ import annotations

from nas.analysis.analyse import Analysis, Request, analyse
from nas.analysis.attention import Attention, UnitAttention, collect
from nas.analysis.page import check_folder, write_analysis
from nas.analysis.scales import SCALES
from nas.analysis.shift import Shift, interval, paired_shift, sentence, stage_shifts, unit_shifts
from nas.analysis.tables import document

__all__ = [
    "SCALES",
    "Analysis",
    "Attention",
    "Request",
    "Shift",
    "UnitAttention",
    "analyse",
    "check_folder",
    "collect",
    "document",
    "interval",
    "paired_shift",
    "sentence",
    "stage_shifts",
    "unit_shifts",
    "write_analysis",
]
