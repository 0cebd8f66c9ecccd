"""Runs an ML program with PyTorch: Core ML itself runs on Apple's machines alone."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def run_package(file: Path, image: Tensor) -> Tensor:
    """The scores (1, K) that a zipped .mlpackage gives an image (1, C, H, W) of pixels from 0 to 255."""
    from coremltools.converters.mil.frontend.milproto import load
    from coremltools.models import MLModel

    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
        model = MLModel(f"{folder}/model.mlpackage", skip_model_load=True)
        spec = model.get_spec()
        program = load.load(spec, spec.specificationVersion, model.weights_dir)
    block = program.functions["main"]
    (name,) = block.inputs
    values: dict[str, Any] = {name: image}

    def value(one: Any) -> Any:
        if isinstance(one, (list, tuple)):
            return [value(part) for part in one]
        if one is None or one.val is None:
            return None if one is None else values[one.name]
        return one.val

    for operation in block.operations:
        if operation.op_type == "classify":
            scores: Tensor = values[operation.inputs["probabilities"].name]
            return scores
        if operation.op_type != "const":
            given = {key: value(one) for key, one in operation.inputs.items()}
            found = OPERATIONS[operation.op_type](given)
            parts = found if isinstance(found, tuple) else (found,)
            for output, part in zip(operation.outputs, parts, strict=True):
                values[output.name] = part
    raise AssertionError("no classifier")


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else torch.from_numpy(np.array(value)).float()


def _both(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[dict[str, Any]], Tensor]:
    return lambda given: function(_tensor(given["x"]), _tensor(given["y"]))


def _padded(given: dict[str, Any], fill: float = 0.0) -> Tensor:
    """The input with its padding, (top, bottom, left, right) in the program."""
    if given["pad_type"] == "valid":
        return _tensor(given["x"])
    assert given["pad_type"] == "custom", given["pad_type"]
    top, bottom, left, right = map(int, given["pad"])
    return functional.pad(_tensor(given["x"]), (left, right, top, bottom), value=fill)


def _convolved(given: dict[str, Any]) -> Tensor:
    return functional.conv2d(
        _padded(given),
        _tensor(given["weight"]),
        None if given.get("bias") is None else _tensor(given["bias"]),
        stride=tuple(map(int, given["strides"])),
        dilation=tuple(map(int, given["dilations"])),
        groups=int(given["groups"]),
    )


def _pooled(given: dict[str, Any]) -> Tensor:
    sides, strides = (tuple(map(int, given[key])) for key in ("kernel_sizes", "strides"))
    return functional.max_pool2d(_padded(given, float("-inf")), sides, strides)


def _widened(given: dict[str, Any]) -> Tensor:
    """Zeros around the last axes: (before, after) of each, the last axis first in PyTorch."""
    pairs = np.array(given["pad"]).reshape(-1, 2)[::-1]
    fill = 0.0 if given.get("constant_val") is None else float(given["constant_val"])
    return functional.pad(_tensor(given["x"]), pairs.flatten().tolist(), value=fill)


def _joined(given: dict[str, Any]) -> Tensor:
    parts, axis = given["values"], int(given["axis"])
    if given["interleave"]:  # a channel shuffle in one operation
        return torch.stack(parts, axis + 1).flatten(axis, axis + 1)
    return torch.cat(parts, axis)


def _split(given: dict[str, Any]) -> tuple[Tensor, ...]:
    x, axis = _tensor(given["x"]), int(given["axis"])
    sizes = given.get("split_sizes")
    if sizes is None:
        return tuple(x.chunk(int(given["num_splits"]), axis))
    return tuple(x.split([int(size) for size in sizes], axis))


def _sliced(given: dict[str, Any]) -> Tensor:
    x = _tensor(given["x"])
    rank = x.ndim
    from_start, to_end = (
        [False] * rank if given.get(key) is None else list(given[key])
        for key in ("begin_mask", "end_mask")
    )
    return x[
        tuple(
            slice(
                None if from_start[axis] else int(given["begin"][axis]),
                None if to_end[axis] else int(given["end"][axis]),
            )
            for axis in range(rank)
        )
    ]


OPERATIONS: dict[str, Callable[[dict[str, Any]], Tensor | tuple[Tensor, ...]]] = {
    "split": _split,
    "add": _both(torch.add),
    "sub": _both(torch.sub),
    "mul": _both(torch.mul),
    "real_div": _both(torch.div),
    "relu": lambda given: _tensor(given["x"]).relu(),
    "relu6": lambda given: functional.relu6(_tensor(given["x"])),
    "sigmoid": lambda given: _tensor(given["x"]).sigmoid(),
    "sigmoid_hard": lambda given: (
        float(given["alpha"]) * _tensor(given["x"]) + float(given["beta"])
    ).clamp(0, 1),
    "clip": lambda given: _tensor(given["x"]).clamp(float(given["alpha"]), float(given["beta"])),
    "cast": lambda given: _tensor(given["x"]),
    "conv": _convolved,
    "linear": lambda given: functional.linear(
        _tensor(given["x"]), _tensor(given["weight"]), _tensor(given["bias"])
    ),
    "max_pool": _pooled,
    "pad": _widened,
    "reduce_mean": lambda given: _tensor(given["x"]).mean(
        tuple(map(int, given["axes"])), bool(given["keep_dims"])
    ),
    "reshape": lambda given: _tensor(given["x"]).reshape(tuple(map(int, given["shape"]))),
    "transpose": lambda given: _tensor(given["x"]).permute(tuple(map(int, given["perm"]))),
    "concat": _joined,
    "slice_by_index": _sliced,
    "softmax": lambda given: _tensor(given["x"]).softmax(int(given["axis"])),
}
