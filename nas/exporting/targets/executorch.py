"""ExecuTorch: the whole network as one partition for XNNPACK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.exporting.targets.quiet import quiet
from nas.exporting.targets.strides import plain
from nas.exporting.targets.target import Quantization, Target, Written

FP32, INT8 = "model.pte", "model.int8.pte"


def write_executorch(model: nn.Module, example: Tensor, folder: Path) -> Written:
    """Write ``model`` as a .pte file lowered to XNNPACK; see Target.write."""
    with quiet():
        return _lower(model, example, folder / FP32)


def quantize_executorch(model: nn.Module, how: Quantization, folder: Path) -> Written:
    """Write ``model`` in int8 with PyTorch's quantization of exported graphs; see Target.quantize."""
    with quiet():
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import get_module_name_filter

        quantizer = XNNPACKQuantizer()
        quantizer.set_global(get_symmetric_quantization_config(is_per_channel=how.per_channel))
        kept = [get_module_name_filter(layer) for layer in sorted(how.float_layers)]
        quantizer.set_filter_function(lambda node: not any(is_of(node) for is_of in kept))
        example = how.images[:1]
        graph = torch.export.export(model, (plain(example),)).module()
        observed = prepare_pt2e(graph, quantizer)
        with torch.no_grad():
            for image in how.images:
                observed(plain(image[None]))
        return _lower(convert_pt2e(observed), example, folder / INT8)


def _lower(model: nn.Module, example: Tensor, path: Path) -> Written:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(model, (plain(example),))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    calls = [
        str(node.target)
        for node in lowered.exported_program().graph.nodes
        if node.op == "call_function" and "getitem" not in str(node.target)
    ]
    path.write_bytes(_buffer(lowered))
    return Written((path,), tuple(call for call in calls if call != "executorch_call_delegate"))


def _buffer(lowered: Any) -> bytes:
    buffer: bytes = lowered.to_executorch().buffer
    return buffer


EXECUTORCH = Target(write_executorch, quantize_executorch, ("executorch", "torchao"))
