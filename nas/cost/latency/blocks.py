"""The terms of a network's latency: its plain network, and the change that units make to each block.

A block is measured whole, with the layers around the unit: a runtime chooses the memory layout of a
layer's maps for its neighbours.
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
    """A block of a plain network that has insertion points.

    Attributes:
        path: Its path in the module tree.
        stage: Its stage of the backbone.
        index: Its number in the stage, from 0.
        depth: Number of blocks in the stage.
        shape: Shape of its input, (1, C, H, W).
        digest: Digest of its layers and the shape, 8 hex digits; equal blocks share it.
        insertion_points: The insertion points in it.
    """

    path: str
    stage: int
    index: int
    depth: int
    shape: tuple[int, ...]
    digest: str
    insertion_points: tuple[InsertionPoint, ...]

    def benchmark_key(self, unit: UnitSpec) -> str:
        """Canonical name of the block with ``unit``: equal exactly when the same block is built."""
        units = [UNITS[unit.kind].resolve(unit, point) for point in self.insertion_points]
        return f"{self.digest} {json.dumps(units)}"

    def units_to_measure(self, unit: UnitSpec) -> dict[str, UnitSpec]:
        """The unit of each benchmark that ``terms`` names, by the key of the benchmark."""
        latency_terms = UNITS[unit.kind].latency_terms(unit)
        return {self.benchmark_key(one): one for one in (NO_UNIT, *latency_terms)}

    def terms(self, unit: UnitSpec) -> dict[str, int]:
        """The latency that ``unit`` adds to the plain block: benchmark key -> factor in the sum."""
        found: Counter[str] = Counter()
        for term, times in UNITS[unit.kind].latency_terms(unit).items():
            found[self.benchmark_key(term)] += times
        found[self.benchmark_key(NO_UNIT)] -= 1
        return {key: times for key, times in found.items() if times}


def plain_of(spec: ArchSpec) -> ArchSpec:
    """The network without units."""
    return spec.model_copy(update={"unit": NO_UNIT})


@lru_cache(maxsize=256)
def blocks_of(backbone: str, geometry: Geometry) -> tuple[Block, ...]:
    """The blocks of a plain network that have insertion points, in forward order.

    The plain network runs once on torch's meta device, and the result is kept.
    """
    from blocks.profiling import run_on_meta  # here: a table is read without torch

    model, passed = run_on_meta(BACKBONES[backbone], geometry)
    plain = ArchSpec(backbone=backbone, unit=NO_UNIT, **asdict(geometry)).profile
    block_paths = {
        (one.stage, one.index): one.block for one in plain.module_paths if one.block is not None
    }
    shapes = {path: tuple(passed[path][0].shape) for path in block_paths.values()}
    found = []
    for (stage, index), path in block_paths.items():
        layers = f"{model.get_submodule(path)} {shapes[path]}"
        digest = hashlib.sha256(layers.encode()).hexdigest()[:8]
        insertion_points = tuple(
            point
            for paths, point in zip(plain.module_paths, plain.insertion_points, strict=True)
            if (paths.stage, paths.index) == (stage, index)
        )
        found.append(
            Block(path, stage, index, plain.depth(stage), shapes[path], digest, insertion_points)
        )
    return tuple(found)
