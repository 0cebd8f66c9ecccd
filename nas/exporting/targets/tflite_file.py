"""What a .tflite file holds beside the operators: weights, names, and a description for clients."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from nas.exporting.labels import LABELS, labels_text
from nas.exporting.shipped.runtime import INTEGERS, Port
from nas.exporting.targets.target import Description

INPUT, OUTPUT, SIGNATURE = "image", "output", "serving_default"
SCORES = "scores"
"""Name of the output of a classifier; files of version 0.1 end in logits and have another name."""
LARGEST_OLD_CODE = 127
"""Stands for every later operator where only the older field is read."""
METADATA, METADATA_IDENTIFIER = "TFLITE_METADATA", b"M001"
KEPT_METADATA = (b"min_runtime_version",)


def read_tflite(path: Path) -> Any:
    """The model as an object (ModelT), with every constant inside."""
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.read_model(str(path))


def write_tflite(model: Any, path: Path, extra: bytes = b"") -> None:
    """Write the model as one flatbuffer, constants inside, with ``extra`` behind it.

    The quantizer puts constants behind the flatbuffer. TensorFlow Lite Micro and TensorFlow Lite 2.17
    read only what is inside, and give wrong answers without an error.

    The code of each operator is written where readers of before 2020 look for it too: the quantizer
    leaves that place empty, and OpenVINO and OpenCV then take its operators for additions.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    for code in model.operatorCodes:
        code.deprecatedBuiltinCode = min(code.builtinCode, LARGEST_OLD_CODE)
    path.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)) + extra)


def name_by_layer(model: Any, network: nn.Module, output: str) -> None:
    """Give tensors short names: the path of the layer that computes it, and the tensor's number.

    The converter names a tensor by all modules and classes around it, in up to a thousand characters.

    Args:
        model: The file's model; changed in place.
        network: The network that was converted.
        output: Name of the network's output.
    """
    layers = {
        path: re.compile(_pattern(path))
        for path, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }
    graph = model.subgraphs[0]
    for number, tensor in enumerate(graph.tensors):
        name = (tensor.name or b"").decode()
        found = next((path for path, pattern in layers.items() if pattern.search(name)), "")
        tensor.name = f"{found}:{number}".encode()
    graph.tensors[graph.inputs[0]].name = INPUT.encode()
    graph.tensors[graph.outputs[0]].name = output.encode()
    for signature in model.signatureDefs or []:
        signature.signatureKey = SIGNATURE.encode()
        signature.inputs[0].name, signature.outputs[0].name = INPUT.encode(), output.encode()
    _strip_metadata(model)


def shorten_names(model: Any) -> None:
    """Name the tensors by their numbers, but for the input and the output: names are a third of a file.

    OpenVINO and OpenCV tell tensors apart by their names, so no two may have the same.
    """
    graph = model.subgraphs[0]
    given, taken = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    # Operators that convert the type at the end have given it a longer name.
    output = SCORES if taken.name.decode().startswith(SCORES) else OUTPUT
    for number, tensor in enumerate(graph.tensors):
        tensor.name = str(number).encode()
    given.name, taken.name = INPUT.encode(), output.encode()


def describe(path: Path, what: Description) -> None:
    """Add normalisation and labels to a classifier's file, as MediaPipe and Android Studio read them.

    The labels are a zip archive behind the flatbuffer (TensorFlow Lite Metadata, schema M001).
    """
    from ai_edge_litert.schema_py_generated import BufferT, MetadataT

    model = read_tflite(path)
    buffer = BufferT()
    buffer.data = _metadata(what)
    model.buffers.append(buffer)
    entry = MetadataT()
    entry.name, entry.buffer = METADATA.encode(), len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as labels:
        # A fixed date: the same network gives the same file.
        info = zipfile.ZipInfo(LABELS, (1980, 1, 1, 0, 0, 0))
        labels.writestr(info, labels_text(what.class_names))
    write_tflite(model, path, archive.getvalue())


def undescribed(model: Any) -> None:
    """Remove the description: a microcontroller has no use for it. The labels are not read anyway."""
    for entry in model.metadata or []:
        if entry.name == METADATA.encode():
            model.buffers[entry.buffer].data = None
    model.metadata = [one for one in model.metadata or [] if one.name != METADATA.encode()]


def ports(model: Any) -> tuple[Port, Port]:
    """What the file takes and what it gives, for those that no runtime opens on this machine."""
    from ai_edge_litert.schema_py_generated import TensorType

    kinds = {getattr(TensorType, kind.upper()): kind for kind in ("float32", *INTEGERS)}
    graph = model.subgraphs[0]

    def port(index: int, order: str) -> Port:
        tensor = graph.tensors[index]
        kind, how = kinds[tensor.type], tensor.quantization
        if kind not in INTEGERS:
            return Port(tensor.name.decode(), order, kind)
        scale, zero = float(how.scale[0]), int(how.zeroPoint[0])
        return Port(tensor.name.decode(), order, kind, scale, zero)

    return port(graph.inputs[0], "NHWC"), port(graph.outputs[0], "")


def operators(model: Any) -> list[str]:
    """The operators of a model, in their order, such as CONV_2D."""
    from ai_edge_litert.tools import flatbuffer_utils

    return [
        str(flatbuffer_utils.opcode_to_name(model, one.opcodeIndex))
        for one in model.subgraphs[0].operators
    ]


def _pattern(layer: str) -> str:
    """A pattern for the names that the converter gives to the tensors of the module ``layer``.

    Each part of the path follows the name of its class: ``package.Sequential_stage2/package.Conv2d_0;1``
    is ``stage2.0``.
    """
    parts = [rf"[^;/]*_{re.escape(part)}" for part in layer.split(".")]
    return rf"(^|;)[^;/]*/{'/'.join(parts)};"


def _strip_metadata(model: Any) -> None:
    """Remove what the converter notes about itself; the buffers stay, emptied."""
    kept = []
    for entry in model.metadata or []:
        if entry.name in KEPT_METADATA:
            kept.append(entry)
        else:
            model.buffers[entry.buffer].data = None
    model.metadata = kept


# The slots of the tables in TensorFlow Lite Metadata's schema (metadata_schema.fbs, M001).
_RGB, _IMAGE_PROPERTIES, _NORMALIZATION, _AXIS_LABELS = 1, 2, 1, 2


def _metadata(what: Description) -> bytes:
    """ModelMetadata: the input's normalisation and the output's labels."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)

    def table(*slots: tuple[int, Callable[[int], None]], size: int) -> int:
        builder.StartObject(size)
        for slot, put in slots:
            put(slot)
        return int(builder.EndObject())

    def offset(at: int) -> Callable[[int], None]:
        return lambda slot: builder.PrependUOffsetTRelativeSlot(slot, at, 0)

    def byte(value: int) -> Callable[[int], None]:
        return lambda slot: builder.PrependInt8Slot(slot, value, 0)

    def vector(offsets: Sequence[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for one in reversed(offsets):
            builder.PrependUOffsetTRelative(one)
        return int(builder.EndVector())

    def floats(value: float) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependFloat32(value)
        return int(builder.EndVector())

    text = builder.CreateString
    mean, std = floats(what.pixel_mean), floats(what.pixel_std)
    normalization = table((0, offset(mean)), (1, offset(std)), size=2)
    unit = table((0, byte(_NORMALIZATION)), (1, offset(normalization)), size=2)
    properties = table((0, byte(_RGB)), size=2)
    content = table((0, byte(_IMAGE_PROPERTIES)), (1, offset(properties)), size=3)
    name = text(INPUT)
    units = vector([unit])
    image = table((0, offset(name)), (3, offset(content)), (4, offset(units)), size=7)
    file_name = text(LABELS)
    labels = table((0, offset(file_name)), (2, byte(_AXIS_LABELS)), size=5)
    score_name, files = text(SCORES), vector([labels])
    scores = table((0, offset(score_name)), (6, offset(files)), size=7)
    images, outputs = vector([image]), vector([scores])
    graph = table((2, offset(images)), (3, offset(outputs)), size=10)
    graphs = vector([graph])
    version = text("1.0.0")
    root = table((3, offset(graphs)), (7, offset(version)), size=8)
    builder.Finish(root, file_identifier=METADATA_IDENTIFIER)
    return bytes(builder.Output())
