"""Predicts the latency of networks on one device from a table of measured benchmarks."""

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
    """The error of the table on networks that were measured whole.

    Attributes:
        networks: Number of networks; each is predicted with a scale fitted to the others.
        median_error: Median of the absolute relative errors; None without networks.
        worst_error: The largest absolute relative error; None without networks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: int
    median_error: float | None
    worst_error: float | None


class LatencyTable(BaseModel):
    """The measured benchmarks of one device, runtime and precision.

    The predicted latency of a network is the measured latency of its plain network, plus ``scale`` times
    the change that its units make to each block. A prediction takes a fraction of a millisecond.

    Attributes:
        name: The user's name for the device.
        device: The description of the device.
        network: Runtime and precision, such as onnx-fp32.
        threads: Number of threads per image.
        scale: Factor fitted to networks that were measured whole.
        fit: The error of the table on those networks.
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
        """The predicted latency of one image in milliseconds.

        Raises:
            InvalidInput: A benchmark of the network was not measured on this device.
        """
        predicted = self.plain(spec) + self.scale * self.added(spec)
        if not predicted > 0:
            raise InvalidInput(f"device {self.name}: damaged: {predicted:.3g} ms for {spec.label}")
        return predicted

    def plain(self, spec: ArchSpec) -> float:
        """Latency of the plain network of ``spec`` in milliseconds."""
        plain = (spec.backbone, spec.geometry)
        if plain not in self._plain_of:
            self._plain_of[plain] = self._find(self.plains, plain_of(spec).key, spec)
        return self._plain_of[plain]

    def added(self, spec: ArchSpec) -> float:
        """Latency that the units add in milliseconds: the sum of the benchmarks, without the scale."""
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
            known = sum(times * self._find(self.blocks, key, spec) for key, times in terms.items())
            self._by_unit[block.digest, unit] = known
        return known

    def _find(self, table: dict[str, float], key: str, spec: ArchSpec) -> float:
        if key not in table:
            raise InvalidInput(
                f"device {self.name}: has no measurements for {spec.backbone} x{spec.width:g} "
                f"at {spec.input_size} pixels with {spec.label}; allowed: networks of the space whose "
                "suite (nas latency suite) was measured"
            )
        return table[key]

    @cached_property
    def _plain_of(self) -> dict[tuple[object, ...], float]:
        return {}

    @cached_property
    def _by_unit(self) -> dict[tuple[str, UnitSpec], float]:
        return {}


def load_table(name: str) -> LatencyTable:
    """The table of the device ``name`` in devices/NAME.json, or the table in any .json file.

    Raises:
        InvalidInput: The file is missing or damaged.
    """
    path = Path(name) if name.endswith(".json") else devices_dir() / f"{name}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(one.stem for one in devices_dir().glob("*.json"))) or "none yet"
        raise InvalidInput(
            f"device {name}: no file {path}; allowed: {there} (nas latency import makes one)"
        ) from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InvalidInput(
            f"{path}: damaged; allowed: a table that nas latency import wrote"
        ) from None
    return parse(LatencyTable, found, str(path)).model_copy(update={"name": path.stem})


@lru_cache(maxsize=256)
def _equal_blocks(backbone: str, geometry: Geometry) -> tuple[tuple[Block, ...], ...]:
    """The blocks of a network; equal blocks of a stage form one group."""
    groups: dict[tuple[int, str], list[Block]] = {}
    for block in blocks_of(backbone, geometry):
        groups.setdefault((block.stage, block.digest), []).append(block)
    return tuple(map(tuple, groups.values()))
