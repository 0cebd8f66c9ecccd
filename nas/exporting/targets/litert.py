"""LiteRT (formerly TensorFlow Lite): converted by litert-torch, run by ai-edge-litert with XNNPACK."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor, nn

from nas.exporting.targets.quiet import quiet
from nas.exporting.targets.target import Quantization, Target, Written

FP32, INT8 = "model.tflite", "model.int8.tflite"
SIGNATURE, INPUT, OUTPUT = "serving_default", "args_0", "serving_default_output_0_output"


def write_litert(model: nn.Module, example: Tensor, folder: Path) -> Written:
    """Write ``model`` as a .tflite file; see Target.write."""
    with quiet():
        import litert_torch

        litert_torch.convert(model, (example,)).export(str(folder / FP32))
    return Written((folder / FP32,))


def quantize_litert(model: nn.Module, how: Quantization, folder: Path) -> Written:
    """Write ``model`` in int8 with AI Edge's quantizer, from the float32 file; see Target.quantize."""
    with quiet():
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
        kept = [(".*", TFLOperationName.INPUT), (".*", TFLOperationName.OUTPUT)]
        for layer in sorted(how.float_layers):
            pattern = OUTPUT if layer == _last_linear(model) else _pattern(layer)
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
        ranges.calibrate({SIGNATURE: [{INPUT: i[None].numpy()} for i in how.images]}, manager)
        worker.quantize(ranges.get_model_qsvs()).export_model(str(folder / INT8), overwrite=True)
    return Written((folder / INT8,))


def _layers(names: type) -> tuple[object, ...]:
    """The operations of convolutions and linear layers."""
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    return tuple(getattr(names, kind) for kind in kinds)


def _last_linear(model: nn.Module) -> str:
    """Path of the last linear layer; its output is the output of the network and has that name."""
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else ""


def _pattern(layer: str) -> str:
    """A pattern for the tensor names of the module ``layer``.

    The converter names a tensor after its module; each part of the path follows the name of its class:
    ``package.Sequential_stage2/package.Conv2d_0;1`` is ``stage2.0``.
    """
    parts = [rf"[^;/]*_{re.escape(part)}" for part in layer.split(".")]
    return rf"(^|;)[^;/]*/{'/'.join(parts)};"


LITERT = Target(
    write_litert, quantize_litert, ("litert-torch", "ai-edge-litert", "ai-edge-quantizer")
)
