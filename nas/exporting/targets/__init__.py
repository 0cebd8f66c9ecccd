"""The runtimes that a network can be exported for, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from blocks.registry import Registry
from nas.cost.microcontroller.vela import Npu
from nas.exporting.targets.target import (
    Arena,
    Description,
    IoType,
    Precision,
    Quantization,
    Target,
    Wishes,
    Written,
)

__all__ = [
    "FOR_CHIPS",
    "ON_THIS_MACHINE",
    "TARGETS",
    "Arena",
    "Description",
    "IoType",
    "Npu",
    "Precision",
    "Quantization",
    "Target",
    "Wishes",
    "Written",
]


def _later(name: str) -> Callable[[], Target]:
    # Its module needs torch, so a target is imported when it is asked for, and not for its name.
    return lambda: cast(
        Target, getattr(import_module(f"nas.exporting.targets.{name}"), name.upper())
    )


TARGETS: Registry[Target] = Registry("export target")
ON_THIS_MACHINE = ("onnx", "executorch", "litert", "ncnn")
"""Targets whose files run and are timed on this machine."""
FOR_CHIPS = ("tflm", "ethos_u")
"""Targets for microcontrollers and their accelerators."""
for _name in (*ON_THIS_MACHINE, *FOR_CHIPS, "coreml"):
    TARGETS.register_later(_name, _later(_name))
