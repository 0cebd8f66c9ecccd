"""One pass over all photographs that decodes them, so that broken ones are known before a training."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from nas.data.file_memo import FileState, found_out
from nas.data.layouts.kinds import register_heif

ANIMATED = "animated"
GOOD = ""


class Checked(NamedTuple):
    """What decoding all photographs found.

    Attributes:
        broken: File and reason of each that cannot be decoded.
        animated: Files with several frames; the first is used.
    """

    broken: list[tuple[Path, str]]
    animated: list[Path]


def readable(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """The files that cannot be decoded, each with the reason."""
    return check_files(paths).broken


def check_files(paths: Sequence[Path]) -> Checked:
    """Decode all files; the result is kept until a file changes."""
    register_heif()
    broken: list[tuple[Path, str]] = []
    states: dict[Path, FileState] = {}
    for path in paths:
        try:
            states[path] = FileState.of(path)
        except OSError as error:
            broken.append((path, error.strerror or str(error)))
    # Pillow's decoders release Python's lock.
    known = found_out("decoded", list(states.values()), _look_at, "decoding")
    broken += [
        (path, known[state.path])
        for path, state in states.items()
        if known[state.path] not in (GOOD, ANIMATED)
    ]
    animated = [path for path, state in states.items() if known[state.path] == ANIMATED]
    return Checked(broken, animated)


def _look_at(state: FileState) -> str:
    """Why a file cannot be decoded, or whether it is animated."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(state.path) as image:
                # The second picture of a phone's MPO is a preview or depth, no frame.
                animated = image.format != "MPO" and getattr(image, "is_animated", False)
                image.draft("RGB", (1, 1))  # of a JPEG every byte is still looked at
                image.load()
    except UnidentifiedImageError:
        return "not an image, or of an unknown kind"
    except Exception as error:  # decoders of damaged files raise almost anything
        return " ".join(str(error).split())[:200] or type(error).__name__
    return ANIMATED if animated else GOOD
