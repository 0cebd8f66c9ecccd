"""Published figures, drawn for orientation beside a search on the same task."""

from __future__ import annotations

from collections.abc import Sequence

from nas.data import DataConfig
from nas.paper import PublishedRow, read_published
from nas.runs import TrialRecord

SOURCE = "Li et al., Selective Kernel Networks, CVPR 2019, Table 4"

CITED = "[27]"
"""Ends the rows that Table 4 cites; its other plain rows are the authors' own training."""


def published_beside(data: DataConfig, records: Sequence[TrialRecord]) -> tuple[PublishedRow, ...]:
    """The rows that belong beside a search; none unless its images are ImageNet's, by all signs."""
    if not data.name.startswith("imagefolder:") or not records:
        return ()
    spec = records[0].spec  # the data set gives all networks of a search the same figures
    if (spec.num_classes, spec.input_size) != (1000, 224):
        return ()
    return tuple(row for row in read_published("4") if not row.network.endswith(CITED))
