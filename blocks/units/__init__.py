"""The kinds of unit that an ArchSpec can name.

A new one is one file, which registers it itself (docs/howto/own_unit.md), or, to come with the program,
one file, one line here, and its words for tables in ``blocks.unit_words``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from blocks.lazy import lazy_names
from blocks.plugins import hint, load_plugins
from blocks.registry import Registry
from blocks.units.base import Plain, Unit

if TYPE_CHECKING:
    from blocks.units.bam import BottleneckAttention as BottleneckAttention
    from blocks.units.base import Start as Start
    from blocks.units.cbam import ConvBlockAttention as ConvBlockAttention
    from blocks.units.global_context import GlobalContext as GlobalContext
    from blocks.units.global_context import SimplifiedNonLocal as SimplifiedNonLocal
    from blocks.units.non_local import NonLocal as NonLocal
    from blocks.units.selective_kernel import SelectiveKernel as SelectiveKernel
    from blocks.units.squeeze_excitation import SqueezeExcitation as SqueezeExcitation

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "blocks.units.bam": ["BottleneckAttention"],
        "blocks.units.base": ["Start"],
        "blocks.units.cbam": ["ConvBlockAttention"],
        "blocks.units.global_context": ["GlobalContext", "SimplifiedNonLocal"],
        "blocks.units.non_local": ["NonLocal"],
        "blocks.units.selective_kernel": ["SelectiveKernel"],
        "blocks.units.squeeze_excitation": ["SqueezeExcitation"],
    },
)
__all__ += ["UNITS", "Unit"]

UNITS: Registry[Unit] = Registry("unit", Unit, load_plugins, hint)


def _later(module: str, name: str) -> Callable[[], Unit]:
    # The modules need torch, so a kind is imported when it is asked for, and not for its name.
    return lambda: cast(Unit, getattr(import_module(f"blocks.units.{module}"), name)())


UNITS.register("none", Plain())
UNITS.register_later("se", _later("squeeze_excitation", "SqueezeExcitationUnit"))
UNITS.register_later("sk", _later("selective_kernel_unit", "SelectiveKernelUnit"))
UNITS.register_later("nl", _later("non_local", "NonLocalUnit"))
UNITS.register_later("snl", _later("global_context", "SimplifiedNonLocalUnit"))
UNITS.register_later("gc", _later("global_context", "GlobalContextUnit"))
UNITS.register_later("cbam", _later("cbam", "ConvBlockAttentionUnit"))
UNITS.register_later("bam", _later("bam", "BottleneckAttentionUnit"))
