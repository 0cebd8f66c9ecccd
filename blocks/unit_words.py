"""The kinds of unit that come with the program, in a few words for tables.

Apart from their modules, so that the networks of a run are listed without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from blocks.unit_spec import Placement, UnitSpec

DEFAULT_PLACEMENT: Mapping[str, Placement] = MappingProxyType(
    {
        "se": "standard",
        "nl": "post",
        "snl": "post",
        "gc": "standard",
        "cbam": "standard",
        "bam": "post",
    }
)
"""Kind -> where its paper puts it."""


def placement_words(unit: UnitSpec, default: Placement) -> list[str]:
    """The placement, where it is not the paper's."""
    return [] if unit.placement in (None, default) else [unit.placement]


def words_of(unit: UnitSpec, kind: str | None = None) -> list[str] | None:
    """The fields of ``unit`` that have an effect, as ``kind`` (default: its own) has them.

    None if the kind does not come with the program.
    """
    kind = kind or unit.kind
    if kind not in _FIELDS:
        return None
    default = DEFAULT_PLACEMENT.get(kind)
    placement = [] if default is None else placement_words(unit, default)
    return [*_FIELDS[kind](unit), *placement]


def _selective_kernel(unit: UnitSpec) -> list[str]:
    kernels = "d" if unit.kernel == "dilated" else f"{unit.kernel} "
    words = [
        f"{kernels}{','.join(map(str, unit.dilations))}",
        f"G{','.join(map(str, unit.groups))}" if unit.groups else f"w{unit.group_width}",
    ]
    if len(unit.dilations) > 1:  # a single branch has nothing to fuse
        attention = f"r{unit.reduction} L{unit.min_dim}"
        forms = {"full": attention, "reduced": f"{attention} reduced", "sum": "sum"}
        words.append(forms[unit.select])
    words.append("act" if unit.branch_act else "no act")
    return words if unit.shortcut else [*words, "no shortcut"]


def _non_local(unit: UnitSpec) -> list[str]:
    return [unit.pairwise, *(["subsampled"] if unit.subsample else [])]


def _pool(unit: UnitSpec, default: str) -> list[str]:
    return [] if unit.pool in (None, default) else [f"{unit.pool} pool"]


def _fusion(unit: UnitSpec, default: str) -> list[str]:
    return [] if unit.fusion in (None, default) else [unit.fusion]


_FIELDS: Mapping[str, Callable[[UnitSpec], list[str]]] = {
    "none": lambda unit: [],
    "se": lambda unit: [f"r{unit.reduction}", *_pool(unit, "avg")],
    "sk": _selective_kernel,
    "nl": _non_local,
    "snl": lambda unit: _pool(unit, "att"),
    "gc": lambda unit: [f"r{unit.reduction}", *_pool(unit, "att"), *_fusion(unit, "add")],
    "cbam": lambda unit: [f"r{unit.reduction}"],
    "bam": lambda unit: [f"r{unit.reduction}", *_fusion(unit, "sum")],
}
