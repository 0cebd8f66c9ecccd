"""An objective: how many blocks a network has."""

from __future__ import annotations

from blocks import ArchSpec
from nas.cost import objective


@objective("depth", unit="blocks")
def depth(spec: ArchSpec) -> float:
    """Blocks in all stages."""
    return sum(stage.depth for stage in spec.profile.stages)
