"""Reader of the idx format, in which the MNIST family is published."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from blocks.errors import InvalidInput

_UINT8 = 8  # the idx code of the only element type this family uses
_CURE = "delete it and get it again"


def read_idx(path: Path, shape: tuple[int, ...]) -> Tensor:
    """Read an idx file of bytes.

    Args:
        path: The file, compressed if its name ends in .gz.
        shape: The sizes that the file must have.

    Returns:
        uint8 tensor of the given shape.

    Raises:
        InvalidInput: If the file cannot be read, is damaged or has other sizes.
    """
    content = _content(path)
    header = 4 + 4 * len(shape)
    if content[:4] != bytes((0, 0, _UINT8, len(shape))) or len(content) < header:
        raise InvalidInput(
            f"{path} is not an idx file of bytes with {len(shape)} dimensions; {_CURE}"
        )
    sizes = tuple(np.frombuffer(content[4:header], dtype=">u4").tolist())
    if sizes != shape:
        raise InvalidInput(f"{path} has the sizes {sizes} instead of {shape}; {_CURE}")
    if len(content) != header + math.prod(shape):
        raise InvalidInput(
            f"{path} holds {len(content) - header} bytes of data instead of {math.prod(shape)};"
            f" {_CURE}"
        )
    # A copy, because a tensor must own memory that it may write to.
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy())


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(f"{path} cannot be read ({error}); {_CURE}") from error
