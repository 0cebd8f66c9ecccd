"""The Selective Kernel units of a network with kernels of different sizes, by the paper's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from blocks import ArchSpec, InvalidInput, SelectiveKernel


@dataclass(frozen=True)
class SkUnit:
    """One unit with attention.

    Attributes:
        stage: Its stage of the backbone, as in ``unit.stages`` of an ArchSpec.
        index: Its position in the stage, from 1.
        on_shortcut: Whether it is on the shortcut of a block of ShuffleNetV2, beside another unit.
        path: Path of its SelectiveKernel in the module tree.
        channels: C.
        kernels: Side of each branch's kernel in input pixels, in the order of the attention.
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
        """Number of the branch with the largest kernel."""
        return self.kernels.index(max(self.kernels))

    @property
    def smaller(self) -> int:
        """Number of the branch with the smallest kernel."""
        return self.kernels.index(min(self.kernels))


def sk_units(model: nn.Module, spec: ArchSpec) -> tuple[SkUnit, ...]:
    """The units of ``model``, built from ``spec``, in forward order.

    Units without attention (a single branch, or summed branches) and units whose kernels all have the
    same size are left out.

    Raises:
        InvalidInput: No unit remains.
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
    """An early, a middle and the last unit, without repetitions.

    The paper shows the last unit of a stage (SK_2_3 and SK_5_3), and as the middle one that of the
    second of four stages (SK_3_4). A network with fewer than three stages is divided by its units.
    """
    stages = sorted({unit.stage for unit in units})
    ends = [next(unit for unit in reversed(units) if unit.stage == stage) for stage in stages]
    among = ends if len(ends) >= 3 else list(units)
    return tuple(dict.fromkeys((among[0], among[(len(among) - 1) // 2], among[-1])))


def find_unit(units: Sequence[SkUnit], name: str | None) -> SkUnit:
    """The unit ``name``; None: the middle one of the shown units.

    Raises:
        InvalidInput: The unit does not exist.
    """
    if name is None:
        shown = shown_units(units)
        return shown[(len(shown) - 1) // 2]
    for unit in units:
        if unit.name == name:
            return unit
    raise InvalidInput(f"--unit {name}: allowed: {', '.join(unit.name for unit in units)}")


def _reach(branch: nn.Module) -> int:
    """Side of a branch's dilated kernel: (k - 1) d + 1."""
    assert isinstance(branch, nn.Sequential)
    conv = branch[0]
    assert isinstance(conv, nn.Conv2d)
    return (conv.kernel_size[0] - 1) * conv.dilation[0] + 1
