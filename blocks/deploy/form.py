"""The forms of a rewritten network, one per kind of runtime."""

from __future__ import annotations

from typing import Literal, TypeAlias

Form: TypeAlias = Literal["pytorch", "graph", "channels_last", "ncnn"]
"""The forms compute the same function; each is fast in its runtime.

pytorch: run by PyTorch, where every written map costs time. graph: exported by torch.export, for ONNX
Runtime, XNNPACK and others, where every operator costs time and tensors have at most four dimensions.
channels_last: the same for runtimes that keep the channels of a pixel together, as LiteRT does.
ncnn: traced for pnnx, which turns some patterns into one operator each.
"""
