"""A latency benchmark suite: blocks and whole networks that are measured on a device."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from runtime import (
    LOADERS,
    OLD_SUITE,
    OLD_SUITE_FORMAT,
    SUITE,
    SUITE_FORMAT,
    Artifact,
    Refused,
    why,
)

MOST_NUMBERS = 10**8
"""Largest number of elements of an input."""


@dataclass(frozen=True)
class Benchmark:
    """A block of a network, or a whole network, that is measured.

    Attributes:
        key: Its canonical name.
        arch: The network; None for a block.
        shape: Of its input, (1, C, H, W).
        artifact: The files that run.
    """

    key: str
    arch: dict[str, Any] | None
    shape: tuple[int, ...]
    artifact: Artifact


def is_suite(folder: Path) -> bool:
    """Whether ``folder`` is a suite, not a bundle."""
    return bool((folder / SUITE).is_file() or (folder / OLD_SUITE).is_file())


def read_suite(folder: Path) -> list[Benchmark]:
    """The benchmarks in ``folder``; every field that is read is checked.

    Raises:
        Refused: The file of the suite is missing or damaged.
    """
    path, number, entries = folder / SUITE, SUITE_FORMAT, "benchmarks"
    if not path.is_file():
        path, number, entries = folder / OLD_SUITE, OLD_SUITE_FORMAT, "pieces"
    try:
        suite = json.loads(path.read_text(encoding="utf-8"))
        if suite["format"] != number:
            raise ValueError(f"format {suite['format']}, these programs read {number}")
        if suite["target"] not in LOADERS or suite["precision"] not in ("fp32", "int8"):
            raise ValueError(f"target {suite['target']} or precision {suite['precision']}")
        benchmarks = [
            _benchmark(folder, suite["target"], suite["precision"], one) for one in suite[entries]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{path}: missing or damaged ({why(error)}); allowed: a folder that nas latency suite wrote"
        ) from None
    if not benchmarks:
        raise Refused(f"{path}: no benchmarks")
    return benchmarks


def _benchmark(folder: Path, target: str, precision: str, one: dict[str, Any]) -> Benchmark:
    shape = tuple(one["shape"])
    sides = all(type(side) is int and side > 0 for side in shape)
    if not sides or len(shape) != 4 or prod(shape) > MOST_NUMBERS:
        raise ValueError(f"shape {shape}")
    # Only the last part of each name counts: no file outside the suite is read.
    home = folder / Path(str(one["folder"])).name
    if home.name == "..":
        raise ValueError("folder ..")
    files = tuple(home / Path(str(file["name"])).name for file in one["files"])
    sums = tuple(str(file["sha256"]) for file in one["files"])
    if not files:
        raise ValueError("a benchmark has no files")
    return Benchmark(
        str(one["key"]), one["arch"], shape, Artifact(target, str(precision), files, sums)
    )
