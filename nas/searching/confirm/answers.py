"""Which validation images a network classifies correctly, kept beside its checkpoint: right.npz."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nas.runs import TrialFolder, replace_file


def read_right(folder: TrialFolder, digest: str) -> NDArray[np.bool_] | None:
    """Bool (N,): which images the network of a training classifies correctly; None: not known.

    Args:
        folder: Of the training.
        digest: Of the images; answers about others are not read.
    """
    try:
        with np.load(folder.right, allow_pickle=False) as content:  # noqa: TID251
            if str(content["digest"]) != digest:
                return None
            right = np.unpackbits(content["right"], count=int(content["images"]))
            return np.asarray(right, bool)
    except (OSError, KeyError, ValueError, BadZipFile, EOFError):
        return None


def write_right(path: Path, right: NDArray[np.bool_], digest: str) -> None:
    """Store the answers about the images of a digest."""
    with replace_file(path) as file:
        np.savez(
            file,
            right=np.packbits(right),
            images=np.array(len(right)),
            digest=np.array(digest),
        )
