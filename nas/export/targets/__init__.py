"""The runtimes that a network can be exported for, by name."""

from __future__ import annotations

from blocks.registry import Registry
from nas.export.targets.executorch import EXECUTORCH
from nas.export.targets.litert import LITERT
from nas.export.targets.ncnn import NCNN
from nas.export.targets.onnx import ONNX
from nas.export.targets.target import Precision, Quantization, Target, Written

__all__ = ["TARGETS", "Precision", "Quantization", "Target", "Written"]

TARGETS: Registry[Target] = Registry("export target")
TARGETS.register("onnx", ONNX)
TARGETS.register("executorch", EXECUTORCH)
TARGETS.register("litert", LITERT)
TARGETS.register("ncnn", NCNN)
