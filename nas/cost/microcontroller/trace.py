"""What a network computes, operation by operation: it runs once on torch's meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from blocks.deploy import FusedSelectiveKernel
from nas.cost.microcontroller.graph import Shape


@dataclass(frozen=True)
class Call:
    """An operation of PyTorch.

    Attributes:
        name: Such as ``convolution``.
        inputs: Numbers of the values that it reads, in their order; 0 is the image.
        output: Number of the value that it gives.
        shape: Shape of that value, in PyTorch's order.
        arguments: All arguments but named ones; tensors as their shapes.
        unit: Number of the SK unit that it belongs to, in their order; None: it belongs to none.
    """

    name: str
    inputs: tuple[int, ...]
    output: int
    shape: Shape
    arguments: tuple[Any, ...]
    unit: int | None = None


def trace(model: nn.Module, image: Tensor) -> list[Call]:
    """The operations of one forward pass that its output depends on.

    Args:
        model: On torch's meta device, in evaluation mode.
        image: (1, C, H, W), likewise.
    """
    recorder = _Recorder(image)
    units = [one for one in model.modules() if isinstance(one, FusedSelectiveKernel)]
    for number, unit in enumerate(units):
        unit.register_forward_pre_hook(lambda *_, number=number: recorder.enter(number))
        unit.register_forward_hook(lambda *_: recorder.enter(None))
    with torch.no_grad(), recorder:
        output = model(image)
    return _needed(recorder.calls, recorder.numbers[id(output)])


class _Recorder(TorchDispatchMode):
    """Numbers every value that depends on the image; weights have no number."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self.unit: int | None = None
        self.numbers = {id(image): 0}
        self._alive: list[Any] = [image]  # an id is of one value as long as that lives

    def enter(self, unit: int | None) -> None:
        """What follows belongs to an SK unit, or to none."""
        self.unit = unit

    def __torch_dispatch__(
        self,
        function: Callable[..., Any],
        _types: Sequence[type],
        arguments: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        given = function(*arguments, **(options or {}))
        first = given[0] if isinstance(given, tuple) else given
        inputs = tuple(
            self.numbers[id(one)] for one in _tensors(arguments) if id(one) in self.numbers
        )
        if inputs and isinstance(first, Tensor):
            number = len(self.calls) + 1
            name = str(function).split(".")[1].strip("_")
            shapes = tuple(_shape(one) for one in arguments)
            call = Call(name, inputs, number, tuple(first.shape), shapes, self.unit)
            self.calls.append(call)
            self.numbers[id(first)] = number
            self._alive.append((arguments, given))
        return given


def _tensors(arguments: Sequence[Any]) -> list[Tensor]:
    found: list[Tensor] = []
    for one in arguments:
        if isinstance(one, Tensor):
            found.append(one)
        elif isinstance(one, list | tuple):
            found += _tensors(one)
    return found


def _shape(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return tuple(argument.shape)
    if isinstance(argument, list | tuple):
        return tuple(_shape(one) for one in argument)
    return argument


def _needed(calls: list[Call], output: int) -> list[Call]:
    wanted, found = {output}, []
    for call in reversed(calls):
        if call.output in wanted:
            wanted.update(call.inputs)
            found.append(call)
    return found[::-1]
