"""The kinds of unit that an ArchSpec can name. A new one is one file and one line here."""

from __future__ import annotations

from blocks.registry import Registry
from blocks.units.base import Plain, Start, Unit
from blocks.units.selective_kernel import SelectiveKernel, SelectiveKernelUnit
from blocks.units.squeeze_excitation import SqueezeExcitation, SqueezeExcitationUnit

UNITS: Registry[Unit] = Registry("unit")
UNITS.register("none", Plain())
UNITS.register("se", SqueezeExcitationUnit())
UNITS.register("sk", SelectiveKernelUnit())

__all__ = ["UNITS", "SelectiveKernel", "SqueezeExcitation", "Start", "Unit"]
