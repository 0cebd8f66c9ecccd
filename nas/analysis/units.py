"""The Selective Kernel units of a network that weigh kernels of different size, by the paper's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from blocks import ArchSpec, InvalidInput, SelectiveKernel


@dataclass(frozen=True)
class SkUnit:
    """One unit with attention.

    Attributes:
        stage: Of the backbone, as ``unit.stages`` in an ArchSpec counts.
        index: Its position in the stage, from 1.
        on_shortcut: Whether it lies on the shortcut of a block of ShuffleNetV2, beside another unit.
        path: Of its SelectiveKernel in the module tree.
        channels: C.
        kernels: Side of what each branch sees, in pixels of its input, in the order of the attention.
    """

    stage: int
    index: int
    on_shortcut: bool
    path: str
    channels: int
    kernels: tuple[int, ...]

    @property
    def name(self) -> str:
        """SK_i_j as in the paper, stage i and unit j; on a shortcut SK_i_js."""
        return f"SK_{self.stage}_{self.index}{'s' if self.on_shortcut else ''}"

    @property
    def larger(self) -> int:
        """Number of the branch that sees most."""
        return self.kernels.index(max(self.kernels))

    @property
    def smaller(self) -> int:
        """Number of the branch that sees least."""
        return self.kernels.index(min(self.kernels))


def sk_units(model: nn.Module, spec: ArchSpec) -> tuple[SkUnit, ...]:
    """The units of ``model``, built from ``spec``, in forward order.

    Left out are units without attention (a single branch, or branches that are summed up) and units
    whose branches all see the same, of which none is the larger.

    Raises:
        InvalidInput: There is no unit left.
    """
    units = []
    for paths, point in zip(spec.profile.module_paths, spec.profile.insertion_points, strict=True):
        module = model.get_submodule(paths.conv)
        if not isinstance(module, SelectiveKernel) or not module.attends:
            continue
        kernels = tuple(_reach(branch) for branch in module.branches)
        if len(set(kernels)) > 1:
            units.append(
                SkUnit(
                    paths.stage,
                    paths.index + 1,
                    point.on_shortcut,
                    paths.conv,
                    point.channels,
                    kernels,
                )
            )
    if not units:
        raise InvalidInput(
            f"the network has no attention between kernels (unit: {spec.label}); allowed: kind sk with "
            "two or more branches of different size, select full or reduced"
        )
    return tuple(units)


def shown_units(units: Sequence[SkUnit]) -> tuple[SkUnit, ...]:
    """An early, a middle and the last unit, as many of them as differ.

    The paper shows the last unit of the stage (SK_2_3 and SK_5_3), and for the middle that of the
    second of four stages (SK_3_4); a network of fewer than three stages is divided by its units.
    """
    stages = sorted({unit.stage for unit in units})
    ends = [next(unit for unit in reversed(units) if unit.stage == stage) for stage in stages]
    among = ends if len(ends) >= 3 else list(units)
    return tuple(dict.fromkeys((among[0], among[(len(among) - 1) // 2], among[-1])))


def find_unit(units: Sequence[SkUnit], name: str | None) -> SkUnit:
    """The unit of that name; None: the middle one of those shown.

    Raises:
        InvalidInput: There is no such unit.
    """
    if name is None:
        shown = shown_units(units)
        return shown[(len(shown) - 1) // 2]
    for unit in units:
        if unit.name == name:
            return unit
    raise InvalidInput(f"--unit {name}: allowed: {', '.join(unit.name for unit in units)}")


def _reach(branch: nn.Module) -> int:
    """Side of what a branch sees: (k - 1) d + 1."""
    assert isinstance(branch, nn.Sequential)
    conv = branch[0]
    assert isinstance(conv, nn.Conv2d)
    return (conv.kernel_size[0] - 1) * conv.dilation[0] + 1
