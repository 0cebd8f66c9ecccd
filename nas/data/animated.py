"""Files with several frames, such as an animated GIF, of which the first is used."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from nas.data.file_memo import FileState, found_out
from nas.data.layouts.kinds import ending

MAY_MOVE = (".gif", ".webp", ".png", ".tif", ".tiff", ".avif", ".heic", ".heif")
"""Endings of the formats that have frames."""
ANIMATED = "animated"


def animated(paths: Sequence[Path]) -> list[Path]:
    """The files with several frames; what is found is kept until a file changes."""
    states = {path: FileState.of(path) for path in paths if ending(path.name) in MAY_MOVE}
    known = found_out("frames", list(states.values()), _look_at, "looking at")
    return [path for path, state in states.items() if known[state.path] == ANIMATED]


def _look_at(state: FileState) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            with Image.open(state.path) as image:  # reads the header
                return ANIMATED if getattr(image, "is_animated", False) else ""
    except Exception:  # decoders of damaged files raise almost anything; the cache names those
        return ""
