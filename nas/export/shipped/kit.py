"""A kit: pieces of many networks, by whose latency a search knows what networks take on a device."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from runtime import KIT, KIT_FORMAT, LOADERS, Artifact, Refused, why

MOST_NUMBERS = 10**8
"""Of an input."""


@dataclass(frozen=True)
class Piece:
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


def is_kit(folder: Path) -> bool:
    """Whether ``folder`` holds pieces, not a bundle."""
    return bool((folder / KIT).is_file())


def read_kit(folder: Path) -> list[Piece]:
    """What ``folder`` holds, checked as far as it is read."""
    path = folder / KIT
    try:
        kit = json.loads(path.read_text(encoding="utf-8"))
        if kit["format"] != KIT_FORMAT:
            raise ValueError(f"format {kit['format']}, these programs read {KIT_FORMAT}")
        if kit["target"] not in LOADERS or kit["precision"] not in ("fp32", "int8"):
            raise ValueError(f"target {kit['target']} or precision {kit['precision']}")
        pieces = [_piece(folder, kit["target"], kit["precision"], one) for one in kit["pieces"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{path}: missing or broken ({why(error)}); allowed: a folder that nas latency kit wrote"
        ) from None
    if not pieces:
        raise Refused(f"{path}: no pieces")
    return pieces


def _piece(folder: Path, target: str, precision: str, one: dict[str, Any]) -> Piece:
    shape = tuple(one["shape"])
    sides = all(type(side) is int and side > 0 for side in shape)
    if not sides or len(shape) != 4 or prod(shape) > MOST_NUMBERS:
        raise ValueError(f"shape {shape}")
    # The folder of a piece and a file in it: nothing outside the kit.
    home = folder / Path(str(one["folder"])).name
    if home.name == "..":
        raise ValueError("folder ..")
    files = tuple(home / Path(str(file["name"])).name for file in one["files"])
    sums = tuple(str(file["sha256"]) for file in one["files"])
    if not files:
        raise ValueError("files of a piece")
    return Piece(str(one["key"]), one["arch"], shape, Artifact(target, str(precision), files, sums))
