"""The costs that a search can minimise or bound, by name, and the bounds themselves.

A new one is a function here with two lines above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from blocks.checked_model import CheckedModel
from blocks.errors import InvalidInput
from blocks.spec import ArchSpec
from nas.cost.closed_form import count
from nas.cost.latency import LatencyTable
from nas.cost.microcontroller.vela import TFLM, DeviceClass
from nas.cost.objectives import NAME, Cost, Objective, OwnObjective, objective, own_objectives
from nas.naming import option

COSTS: dict[str, Cost] = {}
"""Those that need no device."""
LATENCY, NPU = "latency_ms", "npu_ms"
KIB = 1024
LIMIT = re.compile(rf"max_{NAME.pattern}")


def _registered(one: Objective) -> Objective:
    if one.name in COSTS:
        raise ValueError(f"objective {one.name!r} is registered already")
    COSTS[one.name] = one
    return one


@_registered
@objective("mflops", unit="M")
def mflops(spec: ArchSpec) -> float:
    """Multiply-adds of convolutions and linear layers for one image, in millions."""
    return count(spec).mflops


@_registered
@objective("params")
def params(spec: ArchSpec) -> float:
    """Parameters."""
    return count(spec).params


@_registered
@objective("activations")
def activations(spec: ArchSpec) -> float:
    """Numbers that convolutions and linear layers write for one image."""
    return count(spec).activations


@_registered
@objective("sram_kb", unit="KiB")
def sram_kb(spec: ArchSpec) -> float:
    """SRAM of the int8 network on a microcontroller of the device class tflm, in KiB."""
    from nas.cost.microcontroller import memory_of  # here: it needs torch

    return memory_of(spec).arena / KIB


@_registered
@objective("flash_kb", unit="KiB")
def flash_kb(spec: ArchSpec) -> float:
    """Flash memory of the same, in KiB: the .tflite file without labels."""
    from nas.cost.microcontroller import memory_of

    return memory_of(spec).file / KIB


def costs_on(
    device: LatencyTable | None,
    own: Iterable[OwnObjective] = (),
    device_class: DeviceClass = "tflm",
) -> Mapping[str, Cost]:
    """The costs that are known in a search, by name.

    Args:
        device: That was measured; None: there is no ``latency_ms``.
        own: Objectives of one's own. Nothing is imported before one is called.
        device_class: Whose memory is counted. Of an Ethos-U Vela counts it, and ``npu_ms`` too.
    """
    latency = {} if device is None else {LATENCY: device.predict}
    npu = {} if device_class == TFLM else _costs_on_npu(device_class)
    return {**COSTS, **latency, **npu, **{one.name: one for one in own}}


def _costs_on_npu(accelerator: str) -> dict[str, Cost]:
    """SRAM, flash and milliseconds of one image on an Ethos-U, by Vela's estimate."""
    from nas.cost.microcontroller.npu import estimate_of

    return {
        "sram_kb": lambda spec: estimate_of(spec, accelerator).sram / KIB,
        "flash_kb": lambda spec: estimate_of(spec, accelerator).flash / KIB,
        NPU: lambda spec: estimate_of(spec, accelerator).milliseconds,
    }


def limits_of(texts: Iterable[str]) -> tuple[dict[str, float], tuple[OwnObjective, ...]]:
    """What ``--max NAME=VALUE`` says; NAME may be the reference of an objective of one's own.

    Returns:
        Field of :class:`Budgets` -> limit, and the objectives that were named by reference.

    Raises:
        InvalidInput: One is no NAME=VALUE, or a reference cannot be imported.
    """
    limits: dict[str, float] = {}
    own: list[OwnObjective] = []
    for text in texts:
        name, _, value = str(text).rpartition("=")
        try:
            limit = float(value)
        except ValueError:
            limit = float("nan")
        if not name or not 0 < limit < float("inf"):
            raise InvalidInput(
                f"{option('limits')} {text}: allowed: NAME=VALUE with a finite value above 0"
            )
        (known,), found = own_objectives([name], (*COSTS, LATENCY, NPU))
        limits[f"max_{known}"] = limit
        own += found
    return limits, tuple(own)


ONLY_WITH_NPU = "only with a device class such as ethos-u55-128, see docs/howto/microcontroller.md"
Limit: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


@dataclass(frozen=True, slots=True)
class Violation:
    """One budget that a network exceeds.

    Attributes:
        cost: Name of the cost.
        value: The cost of the network.
        limit: The budget; less than ``value``.
    """

    cost: str
    value: float
    limit: float

    @property
    def excess(self) -> float:
        """The excess of the value as a share of the limit; above 0."""
        return self.value / self.limit - 1


class Budgets(CheckedModel):
    """Upper limits on the costs of a network, each inclusive; None (the default) is no limit.

    A field ``max_NAME`` bounds the cost NAME; besides those below there may be one for any objective.

    Attributes:
        max_mflops: Multiply-adds of convolutions and linear layers for one image, in millions.
        max_params: Parameters.
        max_activations: Numbers that convolutions and linear layers write for one image.
        max_latency_ms: Milliseconds of one image on a device that was measured.
        max_sram_kb: KiB of SRAM of the int8 network on a microcontroller, or an Ethos-U.
        max_flash_kb: KiB of flash memory there.
        max_npu_ms: Milliseconds of one image on an Ethos-U, by Vela's estimate.

    Raises:
        InvalidInput: A limit that is not a positive finite number, or a field that is no
            ``max_NAME``.

    Examples:
        >>> import nas
        >>> spec = nas.ArchSpec(backbone="mobilenet_v2", unit={"kind": "none"})
        >>> nas.Budgets(max_mflops=310).fits(spec), nas.Budgets(max_mflops=300).fits(spec)
        (True, False)
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Limit | None] = Field(init=False)

    max_mflops: Limit | None = None
    max_params: Limit | None = None
    max_activations: Limit | None = None
    max_latency_ms: Limit | None = None
    max_sram_kb: Limit | None = None
    max_flash_kb: Limit | None = None
    max_npu_ms: Limit | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Budgets:
        for name in self.__pydantic_extra__ or {}:
            if not LIMIT.fullmatch(name):
                fields = ", ".join(type(self).model_fields)
                raise InvalidInput(
                    f"{name}: unknown field; allowed: {fields} and max_NAME for any objective"
                )
        return self

    @property
    def limits(self) -> Mapping[str, float]:
        """Cost -> limit, of each limit there is."""
        return dict(self._limits())

    @property
    def is_empty(self) -> bool:
        """Whether there is no limit."""
        return not self._limits()

    def fits(self, spec: ArchSpec, costs: Mapping[str, Cost] = COSTS) -> bool:
        """Whether ``spec`` is within every limit."""
        return not self.violations(spec, costs)

    def violations(
        self, spec: ArchSpec, costs: Mapping[str, Cost] = COSTS
    ) -> tuple[Violation, ...]:
        """The limits that ``spec`` exceeds, in the order of the fields.

        Raises:
            InvalidInput: A bounded cost is not among ``costs``: its device is missing.
        """
        self.check_known(costs)
        values = [(cost, costs[cost](spec), limit) for cost, limit in self._limits()]
        return tuple(Violation(*figures) for figures in values if figures[1] > figures[2])

    def check_known(self, costs: Mapping[str, Cost]) -> None:
        """Raise InvalidInput when a bounded cost is not among ``costs``."""
        for cost, _ in self._limits():
            if cost == LATENCY and cost not in costs:
                raise InvalidInput(
                    f"max_{cost}: only with {option('device')}, the name of a device that was measured "
                    "(nas latency suite, nas latency import)"
                )
            if cost == NPU and cost not in costs:
                raise InvalidInput(f"max_{cost}: {ONLY_WITH_NPU}")
            if cost not in costs:
                raise InvalidInput(
                    f"max_{cost}: unknown objective {cost!r}; allowed: {', '.join(costs)}, and those of "
                    "your own by import path"
                )

    def _limits(self) -> list[tuple[str, float]]:
        """(cost, limit) of every limit that is set."""
        return [(name.removeprefix("max_"), limit) for name, limit in self if limit is not None]
