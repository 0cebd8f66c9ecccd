"""A latency benchmark suite: what is measured on a device to predict the latency of its networks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from runtime import LOADERS, SUITE, SUITE_FORMAT, Artifact, Refused, why

MOST_NUMBERS = 10**8
"""Of an input."""


@dataclass(frozen=True)
class Benchmark:
    """A block of a network, or a whole one.

    Attributes:
        key: Its name.
        arch: The network, where it is a whole one.
        shape: Of its input.
        artifact: What runs.
    """

    key: str
    arch: dict[str, Any] | None
    shape: tuple[int, ...]
    artifact: Artifact


def is_suite(folder: Path) -> bool:
    """Whether ``folder`` holds benchmarks, not a bundle."""
    return bool((folder / SUITE).is_file())


def read_suite(folder: Path) -> list[Benchmark]:
    """What ``folder`` holds, checked as far as it is read."""
    path = folder / SUITE
    try:
        suite = json.loads(path.read_text(encoding="utf-8"))
        if suite["format"] != SUITE_FORMAT:
            raise ValueError(f"format {suite['format']}, these programs read {SUITE_FORMAT}")
        if suite["target"] not in LOADERS or suite["precision"] not in ("fp32", "int8"):
            raise ValueError(f"target {suite['target']} or precision {suite['precision']}")
        benchmarks = [
            _benchmark(folder, suite["target"], suite["precision"], one)
            for one in suite["benchmarks"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{path}: missing or broken ({why(error)}); allowed: a folder that nas latency suite wrote"
        ) from None
    if not benchmarks:
        raise Refused(f"{path}: no benchmarks")
    return benchmarks


def _benchmark(folder: Path, target: str, precision: str, one: dict[str, Any]) -> Benchmark:
    shape = tuple(one["shape"])
    sides = all(type(side) is int and side > 0 for side in shape)
    if not sides or len(shape) != 4 or prod(shape) > MOST_NUMBERS:
        raise ValueError(f"shape {shape}")
    # The folder of a benchmark and a file in it: nothing outside the suite.
    home = folder / Path(str(one["folder"])).name
    if home.name == "..":
        raise ValueError("folder ..")
    files = tuple(home / Path(str(file["name"])).name for file in one["files"])
    sums = tuple(str(file["sha256"]) for file in one["files"])
    if not files:
        raise ValueError("files of a benchmark")
    return Benchmark(
        str(one["key"]), one["arch"], shape, Artifact(target, str(precision), files, sums)
    )
