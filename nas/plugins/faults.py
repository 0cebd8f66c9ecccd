"""The errors that say that a plug-in is at fault."""

from __future__ import annotations

from blocks.errors import InvalidInput


class PluginFault(InvalidInput):
    """A plug-in is not what it must be, whatever network it is given."""


class PluginRaised(PluginFault):
    """A plug-in raised, or gave a wrong figure. For another network it may work."""
