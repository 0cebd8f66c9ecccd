"""The costs that a search can minimise or bound, by name, and the bounds themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from blocks.errors import InvalidInput
from blocks.spec import ArchSpec
from nas.cost.closed_form import count
from nas.cost.latency import LatencyTable

Cost: TypeAlias = Callable[[ArchSpec], float]
"""Figure of a network that needs no training; lower is better."""

COSTS: dict[str, Cost] = {
    "mflops": lambda spec: count(spec).mflops,
    "params": lambda spec: count(spec).params,
    "activations": lambda spec: count(spec).activations,
}
"""Those that need no device."""
LATENCY = "latency_ms"


def costs_on(device: LatencyTable | None) -> Mapping[str, Cost]:
    """The costs that are known when ``device`` was measured, or none."""
    return COSTS if device is None else {**COSTS, LATENCY: device.predict}


Limit: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


@dataclass(frozen=True, slots=True)
class Violation:
    """One budget that a network does not keep.

    Attributes:
        cost: Its name.
        value: What the network costs.
        limit: What it may cost; less than ``value``.
    """

    cost: str
    value: float
    limit: float

    @property
    def excess(self) -> float:
        """By how much the value is over the limit, as a share of the limit; above 0."""
        return self.value / self.limit - 1


class Budgets(BaseModel):
    """Upper limits that a network must keep, each inclusive; None (the default) is no limit.

    A field ``max_NAME`` bounds the cost NAME.

    Attributes:
        max_mflops: Multiply-adds of convolutions and linear layers for one image, in millions.
        max_params: Learnable numbers.
        max_activations: Numbers that convolutions and linear layers write for one image.
        max_latency_ms: Milliseconds of one image on a device that was measured.

    Raises:
        pydantic.ValidationError: A limit that is not a positive finite number, or an unknown field;
            :func:`blocks.yaml_files.parse` makes one line of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_mflops: Limit | None = None
    max_params: Limit | None = None
    max_activations: Limit | None = None
    max_latency_ms: Limit | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every network fits."""
        return not self._limits()

    def fits(self, spec: ArchSpec, costs: Mapping[str, Cost] = COSTS) -> bool:
        """Whether ``spec`` keeps every limit."""
        return not self.violations(spec, costs)

    def violations(
        self, spec: ArchSpec, costs: Mapping[str, Cost] = COSTS
    ) -> tuple[Violation, ...]:
        """The limits that ``spec`` is over, in the order of the fields.

        Raises:
            InvalidInput: A cost is bounded that is not among ``costs``: its device is not known.
        """
        self.check_known(costs)
        values = [(cost, costs[cost](spec), limit) for cost, limit in self._limits()]
        return tuple(Violation(*figures) for figures in values if figures[1] > figures[2])

    def check_known(self, costs: Mapping[str, Cost]) -> None:
        """Raise InvalidInput when a cost is bounded that is not among ``costs``."""
        for cost, _ in self._limits():
            if cost not in costs:
                raise InvalidInput(
                    f"max_{cost}: only with --device, the name of a device that was measured "
                    "(nas latency suite, nas latency import)"
                )

    def _limits(self) -> list[tuple[str, float]]:
        """(cost, limit) of each limit there is."""
        return [(name.removeprefix("max_"), limit) for name, limit in self if limit is not None]
