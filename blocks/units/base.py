"""What a kind of unit must be able to do to stand in a network."""

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
"""Where a unit's weights come from.

fresh: its own initialisation. inherit: its branches take the weights of the convolution it replaces.
plain: as inherit, and scaled so that the whole computes what the plain network computed.
"""

Resolved: TypeAlias = tuple[object, ...]
"""What a unit comes to at one point: equal exactly when the same modules are built there."""

PLAIN: Resolved = ("none",)
"""The block stays as it is."""


class Unit(ABC):
    """One kind of unit. Implementations are stateless and know nothing of whole networks."""

    def check(self, unit: UnitSpec, channels: int) -> None:
        """Raise InvalidInput when ``unit`` cannot be built for a convolution of so many channels."""
        return

    def check_point(self, unit: UnitSpec, point: InsertionPoint) -> None:
        """Raise InvalidInput when ``unit`` cannot stand at ``point`` for another reason."""
        return

    def words(self, unit: UnitSpec) -> list[str]:
        """The fields that have an effect, in a few words for tables.

        Default: what ``blocks.unit_words`` has for the kind, nothing for a kind of one's own.
        """
        return words_of(unit) or []

    @abstractmethod
    def resolve(self, unit: UnitSpec, point: InsertionPoint) -> Resolved:
        """Name what is built at ``point``, without the fields that have no effect there."""

    @abstractmethod
    def count(self, unit: UnitSpec, point: InsertionPoint) -> Counts:
        """Closed-form counts, for one image, of the unit and what is left of the point's convolution."""

    def latency_terms(self, unit: UnitSpec) -> Counter[UnitSpec]:
        """Units whose latencies at one place add up to nearly that of ``unit``, each so many times.

        A table of latencies holds latency_terms alone, so a kind with many fields names few of them; a
        negative count takes away what the others have in common. Default: the unit itself.
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
            InvalidInput: ``start`` is "plain" and the network cannot compute what it computed before.
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
