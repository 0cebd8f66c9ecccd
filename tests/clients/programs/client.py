"""What the clients' programs share: program FILE PIXELS.npy HOW.json; the answer is one line of JSON.

It runs in the client's own environment, with numpy and the client alone. HOW.json has the mean and the
standard deviation per channel of pixels / 255, for files that take normalised images.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

Array = Any


def given() -> tuple[str, Array, Array, Array]:
    """The file, pixels (N, H, W, C), and mean and standard deviation (C,)."""
    path, pixels, how = sys.argv[1:4]
    with open(how, encoding="utf-8") as text:
        about = json.load(text)
    images = np.load(pixels, allow_pickle=False)
    return path, images, np.float32(about["mean"]), np.float32(about["std"])


def normalised(images: Array, mean: Array, std: Array) -> Array:
    """What .onnx and ncnn files take, (N, C, H, W)."""
    values = (images.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2)).astype(np.float32)


def taken_by_onnx(images: Array, mean: Array, std: Array, kind: str) -> Array:
    """What an .onnx file takes whose input is of this kind, (N, C, H, W)."""
    if kind == "tensor(uint8)":
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return normalised(images, mean, std)


def stored(image: Array, kind: Any, scale: float, zero: int) -> Array:
    """What a .tflite file takes for pixels (H, W, C): pixels / 255 as the file's type, (1, H, W, C)."""
    values = image[None].astype(np.float32) / 255
    if np.dtype(kind) == np.float32:
        return values
    limits = np.iinfo(kind)
    return (np.rint(values / scale) + zero).clip(limits.min, limits.max).astype(kind)


def answer(scores: Any, **more: object) -> None:
    """Print the scores of all images, and ``more``."""
    rows = [[float(value) for value in np.ravel(row)] for row in scores]
    print(json.dumps({"scores": rows, **more}))
