"""Units that keep the convolution and process a feature map at one of five placements."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import nn

from blocks.backbones.base import ModulePaths
from blocks.counting import Counts
from blocks.errors import InvalidInput
from blocks.profile import InsertionPoint, Shape
from blocks.unit_spec import Placement, UnitSpec
from blocks.unit_words import placement_words, words_of
from blocks.units.base import PLAIN, Resolved, Start, Unit, refuse_plain
from blocks.units.surgery import insert


class FeatureUnit(Unit):
    """A module from (B, C, H, W) to the same shape, at one of five placements around the convolution."""

    name: str
    """Name of the kind, in keys and module names."""

    default: Placement
    """The placement of the kind's paper."""

    gate: float | None = None
    """Initial factor of the module with start "plain"; None: it starts as the identity."""

    @abstractmethod
    def make(self, unit: UnitSpec, channels: int) -> nn.Module:
        """The module, freshly initialised."""

    @abstractmethod
    def fields(self, unit: UnitSpec, channels: int) -> Resolved:
        """The values that ``make`` uses."""

    @abstractmethod
    def cost(self, unit: UnitSpec, shape: Shape) -> Counts:
        """Closed-form counts of the module alone, for one image of ``shape``."""

    @abstractmethod
    def make_plain(self, module: nn.Module) -> None:
        """Set the weights so that the module multiplies its input by its gate, or is the identity."""

    def plain_gate(self, unit: UnitSpec) -> float | None:
        """``gate``; kinds whose forms have different gates override it."""
        return self.gate

    def check_point(self, unit: UnitSpec, point: InsertionPoint) -> None:  # noqa: D102
        placement = self.placement(unit)
        if not point.on_shortcut and getattr(point, placement) is None:
            raise InvalidInput(
                f"placement: {placement}: the shortcuts of this backbone have no place for a module; "
                "allowed: conv, standard, pre, post"
            )

    def words(self, unit: UnitSpec) -> list[str]:  # noqa: D102
        # A subclass under a name of its own has the words of the unit that it changes.
        for one in type(self).__mro__:
            if (known := words_of(unit, getattr(one, "name", None))) is not None:
                return known
        return placement_words(unit, self.default)

    def resolve(self, unit: UnitSpec, point: InsertionPoint) -> Resolved:  # noqa: D102
        shape = self._shape(unit, point)
        if shape is None:
            return PLAIN
        return (self.name, self.placement(unit), *self.fields(unit, shape.channels))

    def count(self, unit: UnitSpec, point: InsertionPoint) -> Counts:  # noqa: D102
        shape = self._shape(unit, point)
        if shape is None:
            return point.plain
        cost = self.cost(unit, shape)
        if not isinstance(cost, Counts) or min(cost.params, cost.macs, cost.activations) < 0:
            raise InvalidInput(
                f"unit {self.name}: cost gives {cost!r:.80}; allowed: Counts of 0 or more"
            )
        return point.plain + cost

    def install(  # noqa: D102
        self,
        model: nn.Module,
        paths: ModulePaths,
        unit: UnitSpec,
        point: InsertionPoint,
        start: Start,
    ) -> None:
        shape = self._shape(unit, point)
        if shape is None:
            return
        module = self.make(unit, shape.channels)
        placement = self.placement(unit)
        if start == "plain":
            with torch.no_grad():
                self.make_plain(module)
                gate = self.plain_gate(unit)
                if gate is not None:
                    self._undo_gate(model, paths, placement, point, gate)
        module_at = {
            "conv": paths.norm,
            "standard": paths.exit,
            "pre": paths.entry,
            "post": paths.block,
            "identity": paths.shortcut,
        }
        path = module_at[placement]
        assert path is not None
        insert(model, path, self.name, module, before=placement == "pre")

    def placement(self, unit: UnitSpec) -> Placement:
        """The placement of the unit."""
        return self.default if unit.placement is None else unit.placement

    def _shape(self, unit: UnitSpec, point: InsertionPoint) -> Shape | None:
        """Shape of the module's input; None if the placement does not exist at ``point``."""
        placement = self.placement(unit)
        if point.on_shortcut and placement != "conv":
            return None
        shape: Shape | None = getattr(point, placement)
        return shape

    def _undo_gate(
        self,
        model: nn.Module,
        paths: ModulePaths,
        placement: Placement,
        point: InsertionPoint,
        gate: float,
    ) -> None:
        """Scale the BatchNorm before the module so that gate and scale cancel."""
        norms = {"conv": paths.norm, "standard": paths.exit_norm}
        if placement not in norms:
            raise refuse_plain(
                point,
                f"nothing before the gate can be scaled at placement {placement}; allowed: conv, "
                "standard",
            )
        norm = model.get_submodule(norms[placement])
        assert isinstance(norm, nn.BatchNorm2d)
        norm.weight.div_(gate)
        norm.bias.div_(gate)


def hidden_dim(channels: int, reduction: int) -> int:
    """Hidden units of a bottleneck: C // r, at least one."""
    return max(channels // reduction, 1)
