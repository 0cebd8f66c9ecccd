"""A small bundle with networks for a browser, made without a training."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from blocks import ArchSpec, UnitSpec, build
from blocks.deploy import fuse
from nas.exporting.places import copy_programs
from nas.exporting.targets import TARGETS, Quantization

LABELS = (
    "ant",
    'a "quoted" \\ $one ${two} \\(three)',
    "</script><b>",
    "ärger 日本 🐝",
    "line\nbreak",
)


def described(**changes: Any) -> dict[str, Any]:
    """A manifest with a file for every client, as far as the examples read it."""
    pixels = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.25], "channels": 3}
    floats = {"order": "NCHW", "type": "float32", "scale": None, "zero": 0}
    image = {"name": "image", "order": "NHWC", "type": "int8", "scale": 1 / 255, "zero": -128}
    scores = {"name": "scores", "order": "", "type": "int8", "scale": 1 / 256, "zero": -128}
    arena = {"head": 1000, "tail": 500, "flash": 9, "operators": ["CONV_2D", "SOFTMAX", "PADV2"]}

    def entry(target: str, *names: str, **more: Any) -> dict[str, Any]:
        files = [{"name": name, "bytes": 1, "sha256": ""} for name in names]
        normalised = {"input": {**floats, "name": "in"}, "output": {**floats, "name": "out"}}
        return {"target": target, "files": files, "pixels": None, "arena": None} | normalised | more

    taking_pixels = {"input": image, "output": scores, "pixels": pixels}
    return {
        "format": 3,
        "key": "0" * 16,
        "spec": {"backbone": "shufflenet_v2", "width": 0.5, "unit": {"kind": "sk"}},
        "class_names": list(LABELS),
        "preprocessing": {
            "channels": 3, "size": 24, "resize": 28, "read_side": 40,
            "mean": pixels["mean"], "std": pixels["std"],
        },
        "temperature": {"value": 0.7},
        "artifacts": [
            entry("onnx", "model.onnx", precision="fp32"),
            entry("onnx", "model.int8.onnx", precision="int8"),
            entry("ncnn", "model.ncnn.param", "model.ncnn.bin", precision="fp32"),
            entry("litert", "model.int8.tflite", precision="int8", **taking_pixels),
            entry("tflm", "model.tflm.tflite", precision="int8", **taking_pixels, arena=arena),
            entry("executorch", "model.pte", precision="fp32"),
        ],
    } | changes  # fmt: skip


def write_web_bundle(folder: Path, channels: int) -> None:
    """A bundle with a random network as ONNX in float32 and int8, for the labels above."""
    model = _network(channels)
    how = described()["preprocessing"]
    how |= {"channels": channels, **{name: how[name][:channels] for name in ("mean", "std")}}
    images = torch.randn(32, channels, how["size"], how["size"])
    target = TARGETS["onnx"]
    assert target.write is not None
    assert target.quantize is not None
    fused = fuse(model, target.form)
    written = {
        "fp32": target.write(fused, images[:1], folder),
        "int8": target.quantize(fused, Quantization(images), folder),
    }
    artifacts = [
        {
            "target": "onnx",
            "precision": precision,
            "files": [
                {
                    "name": file.name,
                    "bytes": file.stat().st_size,
                    "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                }
                for file in one.files
            ],
        }  # a bundle of version 0.1 says no more
        for precision, one in written.items()
    ]
    manifest = described(preprocessing=how, artifacts=artifacts)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    copy_programs(folder)


def _network(channels: int) -> nn.Module:
    torch.manual_seed(0)
    spec = ArchSpec(
        backbone="shufflenet_v2",
        width=0.25,
        num_classes=len(LABELS),
        in_channels=channels,
        input_size=24,
        stem_stride=1,
        unit=UnitSpec.model_validate({"kind": "none", "stages": {2: {"kind": "sk"}}}),
    )
    model = build(spec)
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d) and ".fuse." not in name:
            module.momentum = None
    with torch.no_grad():
        model(torch.randn(32, channels, 24, 24))
    return model.eval()
