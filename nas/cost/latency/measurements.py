"""The measurements of a device, as ``bench.py --json`` prints them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blocks import ArchSpec
from blocks.errors import InvalidInput
from blocks.yaml_files import parse

Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Device(BaseModel):
    """The description of a device; see ``nas/exporting/shipped/device.py``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: str
    architecture: str
    cores: int
    system: str
    python: str
    runtimes: dict[str, str]


class Setting(BaseModel):
    """How the device was measured; only the number of threads is used here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    threads: Annotated[int, Field(ge=1)]


class Measured(BaseModel):
    """The measured latency of a whole network or of a block.

    Attributes:
        key: Key of the network, or of the block with its unit (see ``Block.benchmark_key``).
        arch: The network; None for a block.
        network: Runtime and precision, such as onnx-int8.
        p50: Median latency of one image in milliseconds.
        busy: Whether the spread shows that the device was busy.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    arch: ArchSpec | None
    network: str
    p50: Milliseconds
    busy: bool

    @model_validator(mode="after")
    def _check_key(self) -> Measured:
        if self.arch is not None and self.arch.key != self.key:
            raise InvalidInput(f"key {self.key} is not that of the network, {self.arch.key}")
        return self


class Measurements(BaseModel):
    """All measurements of one call of ``bench.py``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[2]
    device: Device
    setting: Setting
    latencies: Annotated[tuple[Measured, ...], Field(min_length=1)]


def read_measurements(path: Path) -> Measurements:
    """Read a file with the output of ``bench.py --json``.

    Raises:
        InvalidInput: The file is missing or damaged.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InvalidInput(f"{path}: not JSON; allowed: the output of bench.py --json") from None
    return parse(Measurements, found, str(path))
