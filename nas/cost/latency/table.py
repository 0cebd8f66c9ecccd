"""What networks take on one device, from a table of its measured benchmarks."""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from blocks import ArchSpec
from blocks.backbones import Geometry
from blocks.errors import InvalidInput
from blocks.unit_spec import UnitSpec
from blocks.yaml_files import parse
from nas.cost.latency.blocks import Block, blocks_of, plain_of
from nas.cost.latency.measurements import Device, Milliseconds
from nas.folders import devices_dir


class Fit(BaseModel):
    """How well the table tells the latency of networks that were measured whole.

    Attributes:
        networks: So many; each was told by a scale fitted to the others.
        median_error: Of the relative errors' absolute values; None without networks.
        worst_error: The largest of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: int
    median_error: float | None
    worst_error: float | None


class LatencyTable(BaseModel):
    """The measured benchmarks of one device, runtime and precision.

    A network takes what its plain network takes, measured whole, and ``scale`` times what its units
    change in each block. The sum takes a fraction of a millisecond of this machine's time.

    Attributes:
        name: Of the device, as the person calls it.
        device: What it calls itself.
        network: Runtime and precision, such as onnx-fp32.
        threads: Of the processor that one image had.
        scale: Fitted to networks that were measured whole.
        fit: How well that works.
        plains: Key of a plain network -> milliseconds.
        blocks: Name of a block with a unit -> milliseconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    device: Device
    network: str
    threads: int
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    fit: Fit
    plains: dict[str, Milliseconds]
    blocks: dict[str, Milliseconds]

    def predict(self, spec: ArchSpec) -> float:
        """Milliseconds of one image.

        Raises:
            InvalidInput: A benchmark of the network was not measured on this device.
        """
        told = self.plain(spec) + self.scale * self.added(spec)
        if not told > 0:
            raise InvalidInput(f"device {self.name}: damaged: {told:.3g} ms for {spec.label}")
        return told

    def plain(self, spec: ArchSpec) -> float:
        """Milliseconds of the plain network under ``spec``."""
        place = (spec.backbone, spec.geometry)
        if place not in self._plain_of:
            self._plain_of[place] = self._find(self.plains, plain_of(spec).key, spec)
        return self._plain_of[place]

    def added(self, spec: ArchSpec) -> float:
        """Milliseconds that the units add, as the benchmarks sum up to, without the scale."""
        total = 0.0
        for blocks in _equal_blocks(spec.backbone, spec.geometry):
            unit = spec.unit.at(blocks[0].stage)
            with_unit = sum(unit.stands_at(block.index, block.depth) for block in blocks)
            if with_unit:
                total += with_unit * self._added_by(blocks[0], unit, spec)
        return total

    def _added_by(self, block: Block, unit: UnitSpec, spec: ArchSpec) -> float:
        known = self._by_unit.get((block.digest, unit))
        if known is None:
            terms = block.terms(unit)
            known = sum(
                times * self._find(self.blocks, benchmark, spec)
                for benchmark, times in terms.items()
            )
            self._by_unit[block.digest, unit] = known
        return known

    def _find(self, table: dict[str, float], name: str, spec: ArchSpec) -> float:
        if name not in table:
            raise InvalidInput(
                f"device {self.name}: nothing was measured there for {spec.backbone} x{spec.width:g} "
                f"at {spec.input_size} pixels with {spec.label}; allowed: networks of the space whose "
                "suite (nas latency suite) was measured"
            )
        return table[name]

    @cached_property
    def _plain_of(self) -> dict[tuple[object, ...], float]:
        return {}

    @cached_property
    def _by_unit(self) -> dict[tuple[str, UnitSpec], float]:
        return {}


def load_table(name: str) -> LatencyTable:
    """The table of the device ``name``, in devices/NAME.json, or of a .json file of any place.

    Raises:
        InvalidInput: There is none, or it is damaged.
    """
    path = Path(name) if name.endswith(".json") else devices_dir() / f"{name}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(one.stem for one in devices_dir().glob("*.json"))) or "none yet"
        raise InvalidInput(
            f"device {name}: no file {path}; there are: {there} (nas latency import makes one)"
        ) from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InvalidInput(f"{path}: damaged; allowed: what nas latency import wrote") from None
    return parse(LatencyTable, found, str(path)).model_copy(update={"name": path.stem})


@lru_cache(maxsize=256)
def _equal_blocks(backbone: str, geometry: Geometry) -> tuple[tuple[Block, ...], ...]:
    """The blocks of a network, equal ones of a stage together."""
    groups: dict[tuple[int, str], list[Block]] = {}
    for block in blocks_of(backbone, geometry):
        groups.setdefault((block.stage, block.digest), []).append(block)
    return tuple(map(tuple, groups.values()))
