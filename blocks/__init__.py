"""Networks: units, backbones, and the ArchSpec that describes one network."""

from __future__ import annotations

from blocks.backbones import BACKBONES
from blocks.build import build
from blocks.errors import InvalidInput
from blocks.spec import ArchSpec
from blocks.unit_spec import UnitOverride, UnitSpec
from blocks.units import (
    UNITS,
    BottleneckAttention,
    ConvBlockAttention,
    GlobalContext,
    NonLocal,
    SelectiveKernel,
    SimplifiedNonLocal,
    SqueezeExcitation,
)

__all__ = [
    "BACKBONES",
    "UNITS",
    "ArchSpec",
    "BottleneckAttention",
    "ConvBlockAttention",
    "GlobalContext",
    "InvalidInput",
    "NonLocal",
    "SelectiveKernel",
    "SimplifiedNonLocal",
    "SqueezeExcitation",
    "UnitOverride",
    "UnitSpec",
    "build",
]
