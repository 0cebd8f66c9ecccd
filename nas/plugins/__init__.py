"""Plug-ins by import path: data sets, objectives, modules, evaluators and samplers of one's own.

A reference is ``package.module:NAME`` or ``path/of/file.py:NAME``. Runs keep references, never objects:
every process resolves them anew.
"""

from __future__ import annotations

from blocks.plugins import end_load
from nas.plugins.faults import PluginFault, PluginRaised
from nas.plugins.main_module import without_main
from nas.plugins.reference import Reference, identity, is_reference, reference_to
from nas.plugins.resolve import (
    Expected,
    Missing,
    calling,
    named_at,
    named_by_a_run,
    place_of,
    resolve,
)

__all__ = [
    "Expected",
    "Missing",
    "PluginFault",
    "PluginRaised",
    "Reference",
    "calling",
    "end_load",
    "identity",
    "is_reference",
    "named_at",
    "named_by_a_run",
    "place_of",
    "reference_to",
    "resolve",
    "without_main",
]
