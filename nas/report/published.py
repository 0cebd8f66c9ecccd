"""Published figures of the same task, drawn for orientation."""

from __future__ import annotations

from collections.abc import Sequence

from nas.data import DataConfig
from nas.paper import PublishedRow, read_published
from nas.runs import TrialRecord

SOURCE = "Li et al., Selective Kernel Networks, CVPR 2019, Table 4"

CITED = "[27]"
"""Suffix of the rows that Table 4 cites; its other plain rows are the authors' own training."""


def published_beside(data: DataConfig, records: Sequence[TrialRecord]) -> tuple[PublishedRow, ...]:
    """The published rows for a search; none unless its images appear to be ImageNet's."""
    if not data.name.startswith("imagefolder:") or not records:
        return ()
    spec = records[0].spec  # the data set determines these figures for all networks of a search
    if (spec.num_classes, spec.input_size) != (1000, 224):
        return ()
    return tuple(row for row in read_published("4") if not row.network.endswith(CITED))
