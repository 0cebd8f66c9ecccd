"""The costs that a search can minimise or bound, by name, and the bounds themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from blocks.registry import Registry
from blocks.spec import ArchSpec
from nas.cost.closed_form import count

Cost: TypeAlias = Callable[[ArchSpec], float]
"""Figure of a network that needs no training and no device; lower is better."""

COSTS: Registry[Cost] = Registry("cost")
COSTS.register("mflops", lambda spec: count(spec).mflops)
COSTS.register("params", lambda spec: count(spec).params)
COSTS.register("activations", lambda spec: count(spec).activations)

Limit: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


@dataclass(frozen=True, slots=True)
class Violation:
    """One budget that a network does not keep.

    Attributes:
        cost: Name in COSTS.
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

    A field ``max_NAME`` bounds the cost NAME of COSTS.

    Attributes:
        max_mflops: Multiply-adds of convolutions and linear layers for one image, in millions.
        max_params: Learnable numbers.
        max_activations: Numbers that convolutions and linear layers write for one image.

    Raises:
        pydantic.ValidationError: A limit that is not a positive finite number, or an unknown field;
            :func:`blocks.yaml_files.parse` makes one line of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_mflops: Limit | None = None
    max_params: Limit | None = None
    max_activations: Limit | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every network fits."""
        return not self._limits()

    def fits(self, spec: ArchSpec) -> bool:
        """Whether ``spec`` keeps every limit."""
        return not self.violations(spec)

    def violations(self, spec: ArchSpec) -> tuple[Violation, ...]:
        """The limits that ``spec`` is over, in the order of the fields."""
        values = [(cost, COSTS[cost](spec), limit) for cost, limit in self._limits()]
        return tuple(Violation(*figures) for figures in values if figures[1] > figures[2])

    def _limits(self) -> list[tuple[str, float]]:
        """(cost, limit) of each limit there is."""
        return [(name.removeprefix("max_"), limit) for name, limit in self if limit is not None]
