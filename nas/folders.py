"""The folders that the program reads and writes, relative to the current one unless others are given."""

from __future__ import annotations

import os
from pathlib import Path

RUNS, DEVICES, LOGS = "SKNAS_RUNS_DIR", "SKNAS_DEVICES_DIR", "SKNAS_LOGS_DIR"
CACHE = "SKNAS_CACHE_DIR"
"""Environment variables that name other folders, for every command and for the Python API."""


def runs_dir() -> Path:
    """Where runs lie; default ``runs``."""
    return Path(os.environ.get(RUNS) or "runs")


def devices_dir() -> Path:
    """Where the latency tables of devices lie; default ``devices``."""
    return Path(os.environ.get(DEVICES) or "devices")


def logs_dir() -> Path:
    """Where TensorBoard's logs lie; default ``lightning_logs``."""
    return Path(os.environ.get(LOGS) or "lightning_logs")


def cache_dir() -> Path:
    """Where downloads and what is made of photographs lie; default ``~/.cache/sknas``."""
    return Path(os.path.expanduser(os.environ.get(CACHE) or "~/.cache/sknas"))
