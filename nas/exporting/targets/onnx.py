"""ONNX: written by torch.export's graph, run by ONNX Runtime."""

from __future__ import annotations

import ast
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from nas.exporting.targets.quiet import quiet
from nas.exporting.targets.target import Quantization, Target, Written

FP32, INT8 = "model.onnx", "model.int8.onnx"
INPUT, BYTES, OUTPUT = "image", "pixels", "logits"
OPSET, IR = 18, 8
"""The oldest versions that the exporter writes: ONNX Runtime reads these files from 1.14 on."""
FLOAT = onnx.TensorProto.FLOAT
LAYERS = ("Conv", "Gemm", "MatMul")
AGAIN = ":"
"""Separates a module's path from the number of its second and later nodes."""


def write_onnx(model: nn.Module, example: Tensor, folder: Path) -> Written:
    """Write ``model`` as one ONNX file, layers named by their modules' paths; see Target.write."""
    graph = _graph(model, example)
    uses: Counter[str] = Counter()
    for node in graph.graph.node:
        path = _module(node)
        if path is not None:
            uses[path] += 1
            # ONNX Runtime needs unique names; a module may run twice, or hold two products.
            node.name = path if uses[path] == 1 else f"{path}{AGAIN}{uses[path]}"
    _keep_gates(graph)
    return _save(graph, folder / FP32)


def _keep_gates(model: onnx.ModelProto) -> None:
    """Put an Identity behind each HardSigmoid; ONNX Runtime removes it again.

    OpenCV (4.10, 5.0) takes every product with a HardSigmoid for an h-swish, also an SE unit's, and
    answers wrongly without an error.
    """
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        if node.op_type == "HardSigmoid":
            (gate,) = node.output
            node.output[0] = f"{gate}_gate"
            nodes.append(
                onnx.helper.make_node("Identity", [f"{gate}_gate"], [gate], f"{gate}_keep")
            )
    whole = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    model.graph.ClearField("node")
    model.graph.node.extend(whole)


def quantize_onnx(model: nn.Module, how: Quantization, folder: Path) -> Written:
    """Write ``model`` in int8 with quantize and dequantize operators (QDQ); see Target.quantize.

    Activations are unsigned, the fastest form on x86. Sums of two products may saturate on processors
    without VNNI or dot products; measure the accuracy on the device.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    names = (node.name for node in onnx.load(folder / FP32).graph.node)
    kept = [name for name in names if name.partition(AGAIN)[0] in how.float_layers]
    with tempfile.TemporaryDirectory() as name, quiet():
        prepared = Path(name) / "prepared.onnx"
        # ONNX Runtime's own rewrites of the graph lose the names of nodes.
        quant_pre_process(str(folder / FP32), str(prepared), skip_optimization=bool(kept))
        quantize_static(
            prepared,
            folder / INT8,
            _Images(how.images),
            quant_format=QuantFormat.QDQ,
            per_channel=how.per_channel,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
        )
    return _save(onnx.load(folder / INT8), folder / INT8)


def take_bytes(file: Path, mean: Sequence[float], std: Sequence[float]) -> None:
    """Make the file take pixels from 0 to 255; see Target.take_bytes.

    The input is then named ``pixels``: uint8, (batch, C, H, W). ONNX Runtime normalises channels last
    seven times slower than channels first, so the order stays.
    """
    model = onnx.load(file)
    graph, (image,) = model.graph, model.graph.input
    means, stds = (np.array(one, np.float32).reshape(1, -1, 1, 1) for one in (mean, std))
    # A product and a sum are cheaper than a convolution, and nothing is padded before them.
    constants = {"pixels_factor": 1 / (255 * stds), "pixels_offset": -means / stds}
    for name, values in constants.items():
        graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float32), name))
    nodes = [
        onnx.helper.make_node("Cast", [BYTES], ["pixels_float"], "pixels_float", to=FLOAT),
        onnx.helper.make_node(
            "Mul", ["pixels_float", "pixels_factor"], ["pixels_scaled"], "pixels_scaled"
        ),
        onnx.helper.make_node("Add", ["pixels_scaled", "pixels_offset"], [INPUT], INPUT),
    ]
    whole = [*nodes, *graph.node]
    graph.ClearField("node")
    graph.node.extend(whole)
    image.name, image.type.tensor_type.elem_type = BYTES, onnx.TensorProto.UINT8
    _save(model, file)


class _Images:
    """The calibration images in the form that ONNX Runtime reads."""

    def __init__(self, images: Tensor) -> None:
        self._left: Iterator[Tensor] = iter(images)

    def get_next(self) -> dict[str, Any] | None:
        """One image by the input's name, or None after the last."""
        image = next(self._left, None)
        return None if image is None else {INPUT: image[None].numpy()}


def _graph(model: nn.Module, example: Tensor) -> onnx.ModelProto:
    """The graph for any number of images; for one, if the network computes with their number."""
    try:
        # Of two images: torch.export takes a size of 1 for a constant.
        return _exported(model, torch.cat((example, example)), {0: torch.export.Dim("batch")})
    except torch.onnx.errors.OnnxExporterError:
        return _exported(model, example, None)


def _exported(model: nn.Module, images: Tensor, dynamic: dict[int, Any] | None) -> onnx.ModelProto:
    with quiet():
        program = torch.onnx.export(
            model,
            (images,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            dynamic_shapes=None if dynamic is None else (dynamic,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
        assert program is not None
        return program.model_proto


def _module(node: onnx.NodeProto) -> str | None:
    """The path of the module that a layer's node comes from; None for other nodes."""
    if node.op_type not in LAYERS:
        return None
    notes = {note.key: note.value for note in node.metadata_props}
    scopes = ast.literal_eval(notes.get("pkg.torch.onnx.name_scopes", "[]"))
    return str(scopes[-2]) if len(scopes) > 1 else None


def _save(model: onnx.ModelProto, path: Path) -> Written:
    """Write ``model`` without the exporter's metadata, which contains local file paths."""
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del part.metadata_props[:]
    for one in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del one.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    model.ir_version = IR
    # The quantizer names operator sets that it does not use, newer than old runtimes know.
    used = {node.domain for node in model.graph.node}
    kept = [one for one in model.opset_import if one.domain in used or not one.domain]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    onnx.save(model, path)
    return Written((path,))


ONNX = Target(
    write_onnx, quantize_onnx, ("onnx", "onnxscript", "onnxruntime"), take_bytes=take_bytes
)
