"""Writes SK units into the trace of a network whose units have one plain branch each.

A trace takes a quarter of a second, and a search asks for thousands of networks. Those that differ in
their SK units alone share one trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from blocks.unit_spec import UnitOverride, UnitSpec
from nas.cost.microcontroller.graph import Shape
from nas.cost.microcontroller.trace import Call

TRACED: dict[str, Any] = {
    "dilations": (2,),  # never the plain convolution
    "kernel": "dilated",
    "branch_act": False,
    "reduction": 16,
    "min_dim": 32,
    "select": "full",
}
"""Fields of the SK units that stand for all others; groups remain, for layers around depend on them."""


@dataclass(frozen=True)
class Branches:
    """An SK unit at one insertion point.

    Attributes:
        convolutions: Side of the kernel, dilation and channels per group of each branch.
        hidden: Width of the squeezed vector; None: the branches are summed, or there is only one.
        act: Whether a ReLU ends each branch.
        trimmed: Pixels of padding that are left out on each side.
    """

    convolutions: tuple[tuple[int, int, int], ...]
    hidden: int | None
    act: bool
    trimmed: int


def traced_unit(unit: UnitSpec) -> UnitSpec | None:
    """The unit to trace in place of ``unit``; None when ``unit`` itself has to be traced."""
    kinds = {unit.kind, *(one.kind for _, one in unit.stages)}
    if kinds - {"sk", "none", None} or unit.groups or any(one.groups for _, one in unit.stages):
        return None
    stages = {
        stage: UnitOverride(
            kind=one.kind, group_width=one.group_width, shortcut=one.shortcut, blocks=one.blocks
        )
        for stage, one in unit.stages
    }
    fields = {name: getattr(unit, name) for name in type(unit).model_fields}
    return UnitSpec.model_validate(fields | TRACED | {"stages": stages})


def expanded(calls: Sequence[Call], units: Sequence[Branches]) -> list[Call]:
    """A trace with ``units`` in place of the convolutions that stand for them.

    Args:
        calls: The trace of a network with the units of ``traced_unit``.
        units: In the order in which they run.
    """
    found: list[Call] = []
    numbers = iter(range(1 + max(call.output for call in calls), 10**9))
    for call in calls:
        if call.unit is None:
            found.append(call)
        else:
            found += _Expansion(call, numbers).calls(units[call.unit])
    return found


class _Expansion:
    """Writes the calls of FusedSelectiveKernel's forward pass."""

    def __init__(self, call: Call, numbers: Iterator[int]) -> None:
        self.call, self.numbers = call, numbers
        self.found: list[Call] = []
        self.channels = call.shape[1]
        self.vector: Shape = (1, self.channels, 1, 1)

    def calls(self, unit: Branches) -> list[Call]:
        maps = [self._branch(*one, unit) for one in unit.convolutions]
        if len(maps) > 1:
            total = self._sum(maps)
            if unit.hidden is not None:
                self._attend(maps, total, unit.hidden)
        self.found[-1] = replace(self.found[-1], output=self.call.output)
        return self.found

    def _branch(self, side: int, spread: int, width: int, unit: Branches) -> int:
        before, _, _, stride = self.call.arguments[:4]
        weight = (self.channels, width, side, side)
        margins = (spread * (side // 2) - unit.trimmed,) * 2
        groups = self.channels // width
        arguments = (before, weight, None, stride, margins, (spread,) * 2, False, (0, 0), groups)
        there = self._put("convolution", self.call.inputs, self.call.shape, arguments)
        return self._put("relu", (there,), self.call.shape) if unit.act else there

    def _pointwise(self, number: int, inputs: int, outputs: int) -> int:
        before, after, weight = (1, inputs, 1, 1), (1, outputs, 1, 1), (outputs, inputs, 1, 1)
        arguments = (before, weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1)
        return self._put("convolution", (number,), after, arguments)

    def _attend(self, maps: list[int], total: int, hidden: int) -> None:
        mean = self._put("mean", (total,), self.vector)
        squeezed = self._pointwise(mean, self.channels, hidden)
        squeezed = self._put("relu", (squeezed,), (1, hidden, 1, 1))
        if len(maps) == 2:
            logits = self._pointwise(squeezed, hidden, self.channels)
            weight = self._put("sigmoid", (logits,), self.vector)
            change = self._put("sub", (maps[1], maps[0]), self.call.shape)
            change = self._put("mul", (weight, change), self.call.shape)
            self._put("add", (maps[0], change), self.call.shape)
            return
        count = len(maps)
        wide = self.channels * count
        logits = self._pointwise(squeezed, hidden, wide)
        shape = (1, self.channels, count)
        weights = self._put("softmax", (self._put("view", (logits,), shape),), shape)
        each = []
        for number in range(count):
            cut = (1, self.channels, 1)
            one = self._put("slice", (weights,), cut, (shape, 2, number, number + 1))
            each.append(self._put("unsqueeze", (one,), self.vector))
        pairs = zip(maps, each, strict=True)
        self._sum([self._put("mul", pair, self.call.shape) for pair in pairs])

    def _sum(self, maps: Sequence[int]) -> int:
        total = maps[0]
        for one in maps[1:]:
            total = self._put("add", (total, one), self.call.shape)
        return total

    def _put(
        self, name: str, inputs: tuple[int, ...], shape: Shape, arguments: tuple[Any, ...] = ()
    ) -> int:
        number = next(self.numbers)
        self.found.append(Call(name, inputs, number, shape, arguments))
        return number
