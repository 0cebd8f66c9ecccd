"""Published figures, drawn for orientation beside a search on the same task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.data import DataConfig
from nas.runs import TrialRecord

SOURCE = "Li et al., Selective Kernel Networks, CVPR 2019, Table 4"


@dataclass(frozen=True)
class Published:
    """One row of a paper's table.

    Attributes:
        network: Its name there.
        error: Top-1 error on a single 224x224 crop of ImageNet's validation images, 0 to 1.
        mflops: Multiply-adds, in millions.
    """

    network: str
    error: float
    mflops: float


# The plain rows are the authors' own training ("our impl."), which the other rows are built on.
TABLE_4 = (
    Published("ShuffleNetV2 0.5x", 0.3841, 40.39),
    Published("ShuffleNetV2 0.5x + SE", 0.3634, 40.85),
    Published("ShuffleNetV2 0.5x + SK", 0.3535, 42.58),
    Published("ShuffleNetV2 1.0x", 0.3057, 140.35),
    Published("ShuffleNetV2 1.0x + SE", 0.2947, 141.73),
    Published("ShuffleNetV2 1.0x + SK", 0.2836, 145.66),
)


def published_beside(data: DataConfig, records: Sequence[TrialRecord]) -> tuple[Published, ...]:
    """The rows that belong beside a search; none unless its images are ImageNet's, by all signs."""
    if not data.name.startswith("imagefolder:") or not records:
        return ()
    spec = records[0].spec  # the data set gives all networks of a search the same figures
    return TABLE_4 if (spec.num_classes, spec.input_size) == (1000, 224) else ()
