"""What a kind of unit must be able to do to stand where a depthwise convolution stood."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

from torch import nn

from blocks.backbones.base import Pair
from blocks.counting import Counts
from blocks.errors import InvalidInput
from blocks.survey import Site
from blocks.unit_spec import UnitSpec

Start: TypeAlias = Literal["fresh", "inherit", "plain"]
"""Where a unit's weights come from.

fresh: its own initialisation. inherit: its branches take the weights of the convolution it replaces.
plain: as inherit, and scaled so that the whole computes what that convolution computed.
"""

Resolved: TypeAlias = tuple[object, ...]
"""What a unit comes to at one site: equal exactly when the same modules are built there."""

PLAIN: Resolved = ("none",)
"""The plain depthwise convolution stays."""


class Unit(ABC):
    """One kind of unit. Implementations are stateless and know nothing of whole networks."""

    def check(self, unit: UnitSpec, channels: int) -> None:
        """Raise InvalidInput when ``unit`` cannot be built for this many channels."""
        return

    @abstractmethod
    def resolve(self, unit: UnitSpec, site: Site) -> Resolved:
        """Name what is built at ``site``, without the fields that have no effect there."""

    @abstractmethod
    def count(self, unit: UnitSpec, site: Site) -> Counts:
        """Closed-form counts of what stands at ``site``, for one image."""

    @abstractmethod
    def install(
        self, parent: nn.Sequential, pair: Pair, unit: UnitSpec, site: Site, start: Start
    ) -> None:
        """Put the unit where ``pair`` stands in ``parent``, leaving every other name as it is.

        Raises:
            InvalidInput: ``start`` is "plain" and this unit cannot compute what the pair computes.
        """


class Plain(Unit):
    """The depthwise convolution and its BatchNorm stay as they are."""

    def resolve(self, unit: UnitSpec, site: Site) -> Resolved:  # noqa: D102
        return PLAIN

    def count(self, unit: UnitSpec, site: Site) -> Counts:  # noqa: D102
        return site.plain

    def install(  # noqa: D102
        self, parent: nn.Sequential, pair: Pair, unit: UnitSpec, site: Site, start: Start
    ) -> None:
        return


def replace_children(parent: nn.Sequential, changes: dict[str, dict[str, nn.Module]]) -> None:
    """Replace named children by any number of others, keeping order and all other names.

    Args:
        parent: Changed in place.
        changes: Name of a child -> the children that stand in its place (none: it goes).
    """
    children = list(parent.named_children())
    for name, _ in children:
        delattr(parent, name)
    for name, child in children:
        for new_name, new in changes.get(name, {name: child}).items():
            parent.add_module(new_name, new)


def refuse_plain(site: Site, reason: str) -> InvalidInput:
    """The error of a unit that has no function-preserving start at ``site``."""
    return InvalidInput(
        f"start: plain is impossible in stage {site.stage} ({site.kernel}x{site.kernel} depthwise, "
        f"{site.channels} channels): {reason}"
    )
