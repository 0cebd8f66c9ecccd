"""What the latency of a network is summed from: its plain network, and what units change in a block.

A block is measured whole, with the layers around the unit, since a runtime lays out the maps of a layer
for its neighbours.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from functools import lru_cache

from blocks import ArchSpec
from blocks.backbones import BACKBONES, Geometry
from blocks.profile import InsertionPoint
from blocks.spec import NO_UNIT
from blocks.unit_spec import UnitSpec
from blocks.units import UNITS


@dataclass(frozen=True)
class Block:
    """A block of a plain network that has places for units.

    Attributes:
        path: In the module tree.
        stage: Of the backbone.
        index: In its stage, from 0.
        depth: Number of blocks in the stage.
        shape: Of its input, (1, C, H, W).
        digest: Of its layers and the shape, 8 hex digits; equal blocks share it.
        insertion_points: Where units stand in it.
    """

    path: str
    stage: int
    index: int
    depth: int
    shape: tuple[int, ...]
    digest: str
    insertion_points: tuple[InsertionPoint, ...]

    def benchmark(self, unit: UnitSpec) -> str:
        """Canonical name of the block with ``unit``: equal exactly when the same block is built."""
        units = [UNITS[unit.kind].resolve(unit, point) for point in self.insertion_points]
        return f"{self.digest} {json.dumps(units)}"

    def benchmarks(self, unit: UnitSpec) -> dict[str, UnitSpec]:
        """The benchmarks of ``terms``, each with a unit that makes it of this block."""
        latency_terms = UNITS[unit.kind].latency_terms(unit)
        return {self.benchmark(one): one for one in (NO_UNIT, *latency_terms)}

    def terms(self, unit: UnitSpec) -> dict[str, int]:
        """What ``unit`` adds to the plain block, as benchmarks and how many times each counts."""
        found: Counter[str] = Counter()
        for latency_term, times in UNITS[unit.kind].latency_terms(unit).items():
            found[self.benchmark(latency_term)] += times
        found[self.benchmark(NO_UNIT)] -= 1
        return {benchmark: times for benchmark, times in found.items() if times}


def plain_of(spec: ArchSpec) -> ArchSpec:
    """The network without units."""
    return spec.model_copy(update={"unit": NO_UNIT})


@lru_cache(maxsize=256)
def blocks_of(backbone: str, geometry: Geometry) -> tuple[Block, ...]:
    """The blocks of a plain network that have places for units, in forward order.

    One run on torch's meta device, as in ``blocks.profile``, remembered for each geometry.
    """
    import torch  # here, for a table is read without it

    with torch.device("meta"):
        model = BACKBONES[backbone].make(geometry).eval()
    plain = ArchSpec(backbone=backbone, unit=NO_UNIT, **asdict(geometry)).profile
    paths = {(one.stage, one.index): one.block for one in plain.places if one.block is not None}
    shapes: dict[str, tuple[int, ...]] = {}
    for path in paths.values():
        model.get_submodule(path).register_forward_pre_hook(
            lambda _module, inputs, path=path: shapes.__setitem__(path, tuple(inputs[0].shape))
        )
    side = geometry.input_size
    with torch.no_grad():
        model(torch.empty(1, geometry.in_channels, side, side, device="meta"))
    found = []
    for (stage, index), path in paths.items():
        layers = f"{model.get_submodule(path)} {shapes[path]}"
        digest = hashlib.sha256(layers.encode()).hexdigest()[:8]
        insertion_points = tuple(
            point
            for place, point in zip(plain.places, plain.insertion_points, strict=True)
            if (place.stage, place.index) == (stage, index)
        )
        found.append(
            Block(path, stage, index, plain.depth(stage), shapes[path], digest, insertion_points)
        )
    return tuple(found)
