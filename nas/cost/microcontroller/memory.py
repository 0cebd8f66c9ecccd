"""The memory of a network on a microcontroller, known before it is trained and without an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from blocks import ArchSpec
from blocks.errors import InvalidInput
from blocks.units.selective_kernel import fuse_dim, kernel_shape
from nas.cost.microcontroller.arena import arena_of
from nas.cost.microcontroller.expand import Branches, expanded, traced_unit
from nas.cost.microcontroller.flatbuffer import file_bytes
from nas.cost.microcontroller.graph import QUANTIZE, Graph
from nas.cost.microcontroller.lowering import lower
from nas.cost.microcontroller.trace import Call

TRACES = 256
BACKBONES = (
    "shufflenet_v2", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_lite0",
)  # fmt: skip
UNITS = ("none", "se", "sk")
"""What was compared with exported files."""
KEPT = 100_000
"""Networks whose memory is remembered, of 16 digits and two numbers each."""
_known: dict[str, Memory] = {}


@dataclass(frozen=True)
class Memory:
    """Bytes of a network in int8 under TensorFlow Lite Micro.

    Attributes:
        arena: SRAM: the least arena in which the interpreter runs it (64-bit build).
        file: Flash: the .tflite file without labels.
    """

    arena: int
    file: int


def memory_of(spec: ArchSpec) -> Memory:
    """The memory that ``nas export --targets tflm`` will measure, or a little more.

    A few operators depend on the ranges of the activations, which nobody knows before the training: all
    of them are counted. The network is entirely in int8, takes images with its own number of channels,
    and gives scores.

    Args:
        spec: The network.

    Raises:
        InvalidInput: The memory of such networks is not known here.
    """
    if spec.key not in _known:
        check_known(spec)
        if len(_known) >= KEPT:
            _known.clear()
        _known[spec.key] = _memory(spec)
    return _known[spec.key]


def graph_of(spec: ArchSpec, *, requantize: bool = True) -> Graph:
    """The operators of the exported network; see ``lowering.lower``."""
    unit = traced_unit(spec.unit)
    calls = trace_of(spec if unit is None else spec.model_copy(update={"unit": unit}))
    if unit is not None:
        calls = expanded(calls, _units(spec))
    side = spec.input_size
    return lower(calls, (1, spec.in_channels, side, side), requantize=requantize)


def trace_of(spec: ArchSpec) -> Sequence[Call]:
    """The trace of the network as it is exported, built on torch's meta device; remembered."""
    return _traced(spec.key, spec)


@lru_cache(maxsize=TRACES)
def _traced(_key: str, spec: ArchSpec) -> Sequence[Call]:
    from nas.cost.microcontroller.deployed import deployed_on_meta  # here: it needs torch
    from nas.cost.microcontroller.trace import trace

    return trace(*deployed_on_meta(spec))


def check_known(spec: ArchSpec) -> None:
    """Raise InvalidInput for networks whose operators were never compared with a file's."""
    unit = spec.unit
    kinds = {unit.kind, *(one.kind for _, one in unit.stages if one.kind is not None)}
    for what, found, known in (
        ("backbone", {spec.backbone}, BACKBONES),
        ("unit.kind", kinds, UNITS),
    ):
        if found - set(known):
            raise InvalidInput(
                f"{what} {min(found - set(known))}: its memory on a microcontroller is not known before "
                f"it is exported; sram_kb and flash_kb allow: {', '.join(known)}"
            )


def _memory(spec: ArchSpec) -> Memory:
    graph = graph_of(spec)
    arena = arena_of(graph).bytes
    if any(one.kind == QUANTIZE for one in graph.operators):
        # The planner is greedy: fewer buffers may need more room.
        arena = max(arena, arena_of(graph_of(spec, requantize=False)).bytes)
    return Memory(arena, file_bytes(graph))


def _units(spec: ArchSpec) -> list[Branches]:
    """The SK units of a network that is not traced itself, in the order in which they run."""
    plain, found = spec.profile, []
    for paths, point in zip(plain.module_paths, plain.insertion_points, strict=True):
        unit = spec.unit_at(paths)
        if unit.kind != "sk" or (point.on_shortcut and not unit.shortcut):
            continue
        convolutions = tuple(
            (*kernel_shape(dilation, unit.kernel, point.kernel), width)
            for dilation, width in unit.branches(point.channels)
        )
        attends = len(convolutions) > 1 and unit.select != "sum"
        hidden = fuse_dim(point.channels, unit.reduction, unit.min_dim) if attends else None
        found.append(Branches(convolutions, hidden, unit.branch_act, point.trimmed))
    return found
