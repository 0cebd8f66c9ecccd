"""LiteRT (formerly TensorFlow Lite): converted by litert-torch, run by ai-edge-litert with XNNPACK."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import WorkFailed
from nas.exporting.targets.quiet import quiet
from nas.exporting.targets.target import Quantization, Target, Written
from nas.exporting.targets.tflite_file import (
    INPUT,
    OUTPUT,
    SCORES,
    SIGNATURE,
    describe,
    name_by_layer,
    read_tflite,
    shorten_names,
    write_tflite,
)

FP32, INT8 = "model.tflite", "model.int8.tflite"
UINT8 = 3
"""Its number in the schema (TensorType)."""
LEAST_RANGE = 1e-3
"""Least range of an activation in int8: what is 0 on every calibration image, as behind a dead ReLU,
would have a scale that no runtime accepts."""


class AsServed(nn.Module):
    """A network as clients of .tflite files call it.

    Shapes:
        images (1, H, W, C) -> scores (1, K), which add up to 1, if the network gives logits (1, K); else
        its maps, likewise with the channels last.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Apply the network."""
        given: Tensor = self.network(images.permute(0, 3, 1, 2))
        return given.softmax(-1) if given.ndim == 2 else given.permute(0, 2, 3, 1)


def write_litert(model: nn.Module, example: Tensor, folder: Path) -> Written:
    """Write ``model`` as a .tflite file; see Target.write."""
    with quiet(), tempfile.TemporaryDirectory() as scratch:
        import litert_torch

        with torch.inference_mode():
            output = SCORES if model(example).ndim == 2 else OUTPUT
        served = AsServed(model).eval()
        images = example.permute(0, 2, 3, 1).contiguous()
        raw = Path(scratch) / FP32
        litert_torch.convert(served, (images,)).export(str(raw))
        file = read_tflite(raw)
        name_by_layer(file, served, output)
        write_tflite(file, folder / FP32)
    return Written((folder / FP32,))


def quantize_litert(model: nn.Module, how: Quantization, folder: Path) -> Written:
    """Write ``model`` in int8 with AI Edge's quantizer, from the float32 file; see Target.quantize."""
    with quiet(), tempfile.TemporaryDirectory() as scratch:
        from ai_edge_quantizer import calibrator, quantizer, recipe, recipe_manager
        from ai_edge_quantizer.algorithm_manager import AlgorithmName
        from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName
        from ai_edge_quantizer.utils.qsv_utils import min_max_update

        plan = recipe.static_wi8_ai8()
        if not how.per_channel:
            for entry in plan:
                weights = entry["op_config"]["weight_tensor_config"]
                weights["granularity"] = QuantGranularity.TENSORWISE
        worker = quantizer.Quantizer(str(folder / FP32), plan)
        kept = [] if how.io == "int8" else [(".*", end) for end in _ends(TFLOperationName)]
        if how.io == "float32":  # integers would round the scores to steps of 1/256
            kept.append((".*", TFLOperationName.SOFTMAX))
        for layer in sorted(how.float_layers):
            pattern = rf"(^|;)network[.]{re.escape(layer)}:"
            kept += [(pattern, operation) for operation in _layers(TFLOperationName)]
        for pattern, operation in kept:
            worker.update_quantization_recipe(
                pattern, operation, algorithm_key=AlgorithmName.NO_QUANTIZE
            )
        manager = recipe_manager.RecipeManager()
        manager.load_quantization_recipe(worker.get_quantization_recipe())
        # The quantizer's own calibration averages the ranges of images, which clips most of them.
        ranges = calibrator.Calibrator(
            str(folder / FP32), num_threads=1, qsv_update_func=min_max_update
        )
        images = how.images.permute(0, 2, 3, 1).contiguous().numpy()
        ranges.calibrate({SIGNATURE: [{INPUT: image[None]} for image in images]}, manager)
        found = _widened(ranges.get_model_qsvs())
        if how.input_range is not None:
            least, most = (np.full_like(found[INPUT]["min"], end) for end in how.input_range)
            found[INPUT] = {"min": least, "max": most}
        raw = Path(scratch) / INT8
        worker.quantize(found).export_model(str(raw), overwrite=True)
        file = read_tflite(_with_uint8(raw) if how.io == "uint8" else raw)
        shorten_names(file)
        write_tflite(file, folder / INT8)
    return Written((folder / INT8,))


def _with_uint8(path: Path) -> Path:
    """A file with inputs and outputs of uint8, from one that quantizes and dequantizes them itself."""
    from ai_edge_litert._pywrap_modify_model_interface import modify_model_interface

    wanted = path.with_suffix(".uint8.tflite")
    write_tflite(read_tflite(path), path)  # with its constants inside
    if modify_model_interface(str(path), str(wanted), UINT8, UINT8):
        raise WorkFailed("litert: the inputs of the file could not be made uint8")
    return wanted


def _ends(names: type) -> tuple[object, ...]:
    """The operations that stand for inputs and outputs."""
    return tuple(getattr(names, kind) for kind in ("INPUT", "OUTPUT"))


def _widened(ranges: dict[str, Any]) -> dict[str, Any]:
    """The ranges of all tensors; those narrower than LEAST_RANGE reach from 0 to it."""
    wide = {}
    for name, one in ranges.items():
        least, most = one["min"], one["max"]
        narrow = np.maximum(np.abs(least), np.abs(most)) < LEAST_RANGE
        wide[name] = one | {
            "min": np.where(narrow, 0, least),
            "max": np.where(narrow, LEAST_RANGE, most),
        }
    return wide


def _layers(names: type) -> tuple[object, ...]:
    """The operations of convolutions and linear layers."""
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    return tuple(getattr(names, kind) for kind in kinds)


LITERT = Target(
    write_litert,
    quantize_litert,
    ("litert-torch", "ai-edge-litert", "ai-edge-quantizer"),
    form="channels_last",
    takes_pixels=True,
    describe=describe,
)
