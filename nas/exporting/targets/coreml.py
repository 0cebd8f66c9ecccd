"""Core ML, for iPhones and Macs: an ML program, converted by coremltools from torch.export's graph."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import torch
from torch import Tensor, nn

from nas.exporting.targets.quiet import quiet
from nas.exporting.targets.strides import plain
from nas.exporting.targets.target import Description, Target, Written

FP32, FP16 = "model.mlpackage.zip", "model.fp16.mlpackage.zip"
PACKAGE, INSIDE = "model.mlpackage", "Data/com.apple.CoreML"
MANIFEST, GRAPH, WEIGHTS = (
    "Manifest.json",
    f"{INSIDE}/model.mlmodel",
    f"{INSIDE}/weights/weight.bin",
)
INPUT, SCORES = "image", "scores"
DATE = "com.github.apple.coremltools.conversion_date"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The date of every part: a file does not tell when it was made."""


class _Scores(nn.Module):
    """A classifier with its softmax, as Core ML shows it to the application."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Scores (1, K) of images (1, C, H, W)."""
        scores: Tensor = self.network(images).softmax(-1)
        return scores


def write_coreml(model: nn.Module, example: Tensor, folder: Path) -> Written:
    """Write ``model`` as a zip archive of an .mlpackage that computes in float32; see Target.write."""
    return _convert(model, example, folder / FP32, "FLOAT32")


def write_coreml_fp16(model: nn.Module, example: Tensor, folder: Path) -> Written:
    """Write ``model`` with weights and sums of 16 bits, as the Neural Engine computes."""
    return _convert(model, example, folder / FP16, "FLOAT16")


def _convert(model: nn.Module, example: Tensor, file: Path, precision: str) -> Written:
    with quiet(), tempfile.TemporaryDirectory() as scratch:
        import coremltools

        with torch.inference_mode():
            classes = model(example).shape[1:]
        labels = [str(number) for number in range(classes.numel())] if len(classes) == 1 else None
        whole = model if labels is None else _Scores(model).eval()
        layouts = coremltools.colorlayout
        image = coremltools.ImageType(
            name=INPUT,
            shape=tuple(example.shape),
            scale=1 / 255,
            color_layout=layouts.GRAYSCALE if example.shape[1] == 1 else layouts.RGB,
        )
        # Of a copy: coremltools 9.0 negates subtracted constants in the memory of the network.
        program = torch.export.export(deepcopy(whole), (plain(example),)).run_decompositions({})
        made = coremltools.convert(
            program,
            inputs=[image],
            outputs=[coremltools.TensorType(name=SCORES)],
            classifier_config=labels and coremltools.ClassifierConfig(labels),
            compute_precision=getattr(coremltools.precision, precision),
            minimum_deployment_target=coremltools.target.iOS15,
            skip_model_load=True,  # it would need macOS
        )
        package = Path(scratch) / PACKAGE
        made.save(str(package))
        parts = {name: (package / name).read_bytes() for name in (MANIFEST, GRAPH, WEIGHTS)}
    parts[GRAPH] = _undated(parts[GRAPH])
    parts[MANIFEST] = _numbered(parts[MANIFEST])
    _pack(parts, file)
    return Written((file,))


def describe(file: Path, what: Description) -> None:
    """Name the classes; see Target.describe. The pixels' range is in the file already."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(f"{PACKAGE}/{name}") for name in (MANIFEST, GRAPH, WEIGHTS)}
    model = _read(parts[GRAPH])
    for label, name in zip(_labels(model), what.class_names, strict=True):
        label[:] = [name]
    parts[GRAPH] = model.SerializeToString(deterministic=True)
    _pack(parts, file)


def class_names(file: Path) -> list[str]:
    """The names of the classes that a file gives."""
    with zipfile.ZipFile(file) as archive:
        model = _read(archive.read(f"{PACKAGE}/{GRAPH}"))
    return [str(label[0]) for label in _labels(model)]


def _labels(model: Any) -> list[Any]:
    """The names of the classes in the graph of a classifier, each a list of one text."""
    return [
        one.immediateValue.tensor.strings.values
        for function in model.mlProgram.functions.values()
        for block in function.block_specializations.values()
        for operation in block.operations
        if operation.type == "classify"
        for one in operation.inputs["classes"].arguments[0].value.immediateValue.list.values
    ]


def _read(content: bytes) -> Any:
    with quiet():
        from coremltools.proto import Model_pb2
    model = Model_pb2.Model()
    model.ParseFromString(content)
    return model


def _undated(content: bytes) -> bytes:
    """The graph without the day of its conversion."""
    model = _read(content)
    model.description.metadata.userDefined.pop(DATE, None)
    return bytes(model.SerializeToString(deterministic=True))


def _numbered(content: bytes) -> bytes:
    """The list of the package's parts, with the same numbers every time."""
    about = json.loads(content)
    numbers = {
        old: str(uuid5(NAMESPACE_URL, entry["path"])).upper()
        for old, entry in about["itemInfoEntries"].items()
    }
    about["itemInfoEntries"] = {
        numbers[old]: entry for old, entry in about["itemInfoEntries"].items()
    }
    about["rootModelIdentifier"] = numbers[about["rootModelIdentifier"]]
    return (json.dumps(about, indent=4, sort_keys=True) + "\n").encode()


def _pack(parts: dict[str, bytes], file: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in sorted(parts.items()):
            info = zipfile.ZipInfo(f"{PACKAGE}/{name}", LONG_AGO)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, part)
    file.write_bytes(content.getvalue())


COREML = Target(
    write_coreml,
    None,
    ("coremltools",),
    takes_pixels=True,
    extra="coreml",
    runs_here=False,
    describe=describe,
    write_fp16=write_coreml_fp16,
)
