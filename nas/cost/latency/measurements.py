"""What ``bench.py --json`` found on a device."""

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
    """What the device calls itself; see ``nas/export/shipped/device.py``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: str
    architecture: str
    cores: int
    system: str
    python: str
    runtimes: dict[str, str]


class Setting(BaseModel):
    """How was measured; only the threads matter here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    threads: Annotated[int, Field(ge=1)]


class Measured(BaseModel):
    """The latency of a network or of a benchmark of one.

    Attributes:
        key: Of the network, or the name of the benchmark (see ``Block.benchmark``).
        arch: The network; None for a benchmark.
        network: Runtime and precision, such as onnx-int8.
        p50: Median of the milliseconds of one image.
        busy: Whether the spread says that the device did something else as well.
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
    """The whole of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[2]
    device: Device
    setting: Setting
    latencies: Annotated[tuple[Measured, ...], Field(min_length=1)]


def read_measurements(path: Path) -> Measurements:
    """Read what ``bench.py --json`` printed.

    Raises:
        InvalidInput: The file is missing or is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InvalidInput(f"{path}: not JSON; allowed: what bench.py --json prints") from None
    return parse(Measurements, found, str(path))
