"""A unit for controls: the branches of an SK unit are summed, and the gate of SE follows.

It has what SK has, several receptive fields and attention over channels, but nothing is selected: one
gate scales a channel of all branches. It is used as ``SKNAS_PLUGINS=benchmarks/summed_se.py``.
"""

from __future__ import annotations

from torch import nn

from blocks.backbones.base import ModulePaths
from blocks.counting import Counts, pointwise
from blocks.profile import InsertionPoint
from blocks.unit_spec import UnitSpec
from blocks.units import UNITS
from blocks.units.base import Resolved, Start
from blocks.units.feature import hidden_dim
from blocks.units.selective_kernel_unit import SelectiveKernelUnit
from blocks.units.squeeze_excitation import SqueezeExcitation
from blocks.units.surgery import replace

KIND = "sum_se"


class SummedSE(SelectiveKernelUnit):
    """``kind: sum_se``. Fields: those of ``sk`` with ``select: sum``, and ``reduction``."""

    def resolve(self, unit: UnitSpec, point: InsertionPoint) -> Resolved:  # noqa: D102
        return (
            KIND,
            super().resolve(_summed(unit), point),
            hidden_dim(point.channels, unit.reduction),
        )

    def count(self, unit: UnitSpec, point: InsertionPoint) -> Counts:  # noqa: D102
        hidden = hidden_dim(point.channels, unit.reduction)
        gate = pointwise(point.channels, hidden, 1) + pointwise(hidden, point.channels, 1)
        return super().count(_summed(unit), point) + gate

    def install(  # noqa: D102
        self,
        model: nn.Module,
        paths: ModulePaths,
        unit: UnitSpec,
        point: InsertionPoint,
        start: Start,
    ) -> None:
        super().install(model, paths, _summed(unit), point, start)
        summed = model.get_submodule(paths.conv)
        gate = SqueezeExcitation(point.channels, unit.reduction)
        replace(model, paths.conv, nn.Sequential(summed, gate))


def _summed(unit: UnitSpec) -> UnitSpec:
    return unit.model_copy(update={"kind": "sk", "select": "sum"})


UNITS.register(KIND, SummedSE())
