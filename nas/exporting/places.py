"""Where the export keeps its own files."""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).with_name("shipped")
"""The programs that are copied into a bundle."""
UNFINISHED = ".unfinished"
"""Lies in the folder of a suite that is not written in full."""
