"""The interface of the kinds of unit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Literal, TypeAlias

from blocks.backbones.base import ModulePaths
from blocks.counting import Counts
from blocks.errors import InvalidInput
from blocks.profile import InsertionPoint
from blocks.unit_spec import UnitSpec
from blocks.unit_words import words_of

if TYPE_CHECKING:  # the names of the kinds are known without torch
    from torch import nn

Start: TypeAlias = Literal["fresh", "inherit", "plain"]
"""The initial weights of a unit.

fresh: its own initialisation. inherit: its branches start with the weights of the convolution that it
replaces. plain: as inherit, and scaled so that the network computes the function of the plain network.
"""

Resolved: TypeAlias = tuple[object, ...]
"""A unit as built at one point: equal exactly when the same modules are built there."""

PLAIN: Resolved = ("none",)
"""The block stays as it is."""


class Unit(ABC):
    """One kind of unit. Implementations are stateless and independent of whole networks."""

    def check(self, unit: UnitSpec, channels: int) -> None:
        """Raise InvalidInput when ``unit`` cannot be built for a convolution of this many channels."""
        return

    def check_point(self, unit: UnitSpec, point: InsertionPoint) -> None:
        """Raise InvalidInput when ``unit`` is impossible at ``point`` for another reason."""
        return

    def words(self, unit: UnitSpec) -> list[str]:
        """The fields that have an effect, in a few words for tables.

        Default: what ``blocks.unit_words`` has for the kind, nothing for a kind of one's own.
        """
        return words_of(unit) or []

    @abstractmethod
    def resolve(self, unit: UnitSpec, point: InsertionPoint) -> Resolved:
        """The unit as built at ``point``, without the fields that have no effect there."""

    @abstractmethod
    def count(self, unit: UnitSpec, point: InsertionPoint) -> Counts:
        """Closed-form counts, for one image, of the unit and the rest of the point's convolution."""

    def latency_terms(self, unit: UnitSpec) -> Counter[UnitSpec]:
        """Units whose latencies at one point sum to about that of ``unit``, each with its factor.

        A latency table holds these terms only, so a kind with many fields names few of them. A negative
        factor subtracts a part that several terms contain. Default: the unit itself, once.
        """
        return Counter({unit: 1})

    @abstractmethod
    def install(
        self,
        model: nn.Module,
        paths: ModulePaths,
        unit: UnitSpec,
        point: InsertionPoint,
        start: Start,
    ) -> None:
        """Put the unit at ``paths`` in ``model``.

        Raises:
            InvalidInput: ``start`` is "plain" and the network cannot keep its function.
        """


class Plain(Unit):
    """``kind: none``: every block stays as it is."""

    def resolve(self, unit: UnitSpec, point: InsertionPoint) -> Resolved:  # noqa: D102
        return PLAIN

    def count(self, unit: UnitSpec, point: InsertionPoint) -> Counts:  # noqa: D102
        return point.plain

    def install(  # noqa: D102
        self,
        model: nn.Module,
        paths: ModulePaths,
        unit: UnitSpec,
        point: InsertionPoint,
        start: Start,
    ) -> None:
        return


def refuse_plain(point: InsertionPoint, reason: str) -> InvalidInput:
    """The error of a unit that has no function-preserving start at ``point``."""
    kinds = {1: "depthwise", point.channels: "dense"}
    kind = kinds.get(point.group_width, "grouped")
    return InvalidInput(
        f"start: plain is impossible in stage {point.stage} ({point.kernel}x{point.kernel} {kind}, "
        f"{point.channels} channels): {reason}"
    )
