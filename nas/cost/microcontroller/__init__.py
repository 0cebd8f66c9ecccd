"""What a network takes of the SRAM and the flash memory of a microcontroller, before it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.cost.microcontroller.memory import Memory as Memory
    from nas.cost.microcontroller.memory import memory_of as memory_of
    from nas.cost.microcontroller.npu import estimate_of as estimate_of

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.cost.microcontroller.memory": ["Memory", "memory_of"],
        "nas.cost.microcontroller.npu": ["estimate_of"],
    },
)
