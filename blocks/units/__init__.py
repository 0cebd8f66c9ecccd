"""The kinds of unit that an ArchSpec can name.

A new kind is one file that registers it (docs/howto/own_unit.md). A kind of the program itself also
needs one line here.
"""

from __future__ import annotations

from blocks.plugins import hint, load_plugins
from blocks.registry import Registry
from blocks.units.bam import BottleneckAttention, BottleneckAttentionUnit
from blocks.units.base import Plain, Start, Unit
from blocks.units.cbam import ConvBlockAttention, ConvBlockAttentionUnit
from blocks.units.global_context import (
    GlobalContext,
    GlobalContextUnit,
    SimplifiedNonLocal,
    SimplifiedNonLocalUnit,
)
from blocks.units.non_local import NonLocal, NonLocalUnit
from blocks.units.selective_kernel import SelectiveKernel
from blocks.units.selective_kernel_unit import SelectiveKernelUnit
from blocks.units.squeeze_excitation import SqueezeExcitation, SqueezeExcitationUnit

UNITS: Registry[Unit] = Registry("unit", Unit, load_plugins, hint)
UNITS.register("none", Plain())
UNITS.register("se", SqueezeExcitationUnit())
UNITS.register("sk", SelectiveKernelUnit())
UNITS.register("nl", NonLocalUnit())
UNITS.register("snl", SimplifiedNonLocalUnit())
UNITS.register("gc", GlobalContextUnit())
UNITS.register("cbam", ConvBlockAttentionUnit())
UNITS.register("bam", BottleneckAttentionUnit())

__all__ = [
    "UNITS",
    "BottleneckAttention",
    "ConvBlockAttention",
    "GlobalContext",
    "NonLocal",
    "SelectiveKernel",
    "SimplifiedNonLocal",
    "SqueezeExcitation",
    "Start",
    "Unit",
]
