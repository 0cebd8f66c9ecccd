"""Where a rewritten network runs."""

from __future__ import annotations

from typing import Literal, TypeAlias

Form: TypeAlias = Literal["pytorch", "graph", "ncnn"]
"""What is fast differs between them; the function is the same.

pytorch: run by PyTorch, which pays for every map that is written. graph: exported by torch.export, for
ONNX Runtime, XNNPACK and others, which pay for every operator and have no tensors of five dimensions.
ncnn: traced for pnnx, which recognises some patterns and makes one operator of each.
"""
