"""Networks: units, backbones, and the ArchSpec that describes one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.build import build as build  # its module has the same name, so that it cannot be lazy
from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from blocks.backbones import BACKBONES as BACKBONES
    from blocks.errors import InvalidInput as InvalidInput
    from blocks.spec import ArchSpec as ArchSpec
    from blocks.unit_spec import UnitOverride as UnitOverride
    from blocks.unit_spec import UnitSpec as UnitSpec
    from blocks.units import UNITS as UNITS
    from blocks.units import BottleneckAttention as BottleneckAttention
    from blocks.units import ConvBlockAttention as ConvBlockAttention
    from blocks.units import GlobalContext as GlobalContext
    from blocks.units import NonLocal as NonLocal
    from blocks.units import SelectiveKernel as SelectiveKernel
    from blocks.units import SimplifiedNonLocal as SimplifiedNonLocal
    from blocks.units import SqueezeExcitation as SqueezeExcitation

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "blocks.backbones": ["BACKBONES"],
        "blocks.errors": ["InvalidInput"],
        "blocks.spec": ["ArchSpec"],
        "blocks.unit_spec": ["UnitOverride", "UnitSpec"],
        "blocks.units": [
            "UNITS",
            "BottleneckAttention",
            "ConvBlockAttention",
            "GlobalContext",
            "NonLocal",
            "SelectiveKernel",
            "SimplifiedNonLocal",
            "SqueezeExcitation",
        ],
    },
)
__all__ += ["build"]
