"""The runtimes that a network can be exported for, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from blocks.registry import Registry
from nas.exporting.targets.target import (
    Description,
    IoType,
    Precision,
    Quantization,
    Target,
    Wishes,
    Written,
)

__all__ = [
    "OF_NETWORKS",
    "TARGETS",
    "Description",
    "IoType",
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
OF_NETWORKS = ("onnx", "executorch", "litert", "ncnn")
"""Targets that are made of the network itself; the others are made of the int8 file of one of them."""
for _name in (*OF_NETWORKS, "tflm", "ethos_u"):
    TARGETS.register_later(_name, _later(_name))
