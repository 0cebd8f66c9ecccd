"""What a client refuses, or answers wrongly, by a fault of its own, in the version that is pinned."""

from __future__ import annotations

from dataclasses import dataclass

WRONG = "wrong classes"
"""Message of a client that answers, and wrongly."""
SHUFFLE_NETS = ("plain", "se", "sk", "grey")


@dataclass(frozen=True)
class Fault:
    """A reason why a client does not take a file.

    Attributes:
        clients: Names in CLIENTS.
        files: Names of files.
        message: In what the client says; WRONG for one that says nothing.
        reason: What it lacks, in a sentence.
        networks: Names in NETWORKS; None: all.
    """

    clients: tuple[str, ...]
    files: tuple[str, ...]
    message: str
    reason: str
    networks: tuple[str, ...] | None = None


FAULTS = (
    Fault(
        ("MediaPipe",),
        ("tflite-int8",),
        "Requested one of these types: uint8/float32",
        "The ImageClassifier takes uint8 and float32 alone: export with --io uint8.",
    ),
    Fault(
        ("OpenCV 4", "OpenCV 5"),
        ("tflite-fp32",),
        "Unsupported operator type",
        "Its importer of .tflite files lacks SLICE, and version 4 SUB too. It has STRIDED_SLICE, but "
        "with it the answers are wrong, since it loses the layout at a channel shuffle. "
        "Use the .onnx file.",
        SHUFFLE_NETS,
    ),
    Fault(
        ("OpenCV 4",),
        ("tflite-fp32",),
        "inputs.size() >= 2",
        "Its importer of .tflite files drops the constant of a sum, as in h-swish. Use the .onnx file.",
        ("mobilenet_v3",),
    ),
    Fault(
        ("OpenCV 4",),
        ("tflite-uint8",),
        "Assertion failed) tensor_shape",
        "Its importer of .tflite files takes no constant that is a single number. Use the .onnx file.",
        ("mobilenet_v3",),
    ),
    Fault(
        ("OpenCV 4", "OpenCV 5"),
        ("tflite-int8", "tflite-uint8"),
        "Lookup table for RELU",
        "Its importer of .tflite files knows no ReLU in int8. Use the .onnx file.",
    ),
    Fault(
        ("OpenCV 5",),
        ("onnx-int8",),
        "bufidx >= 0",
        "Its new engine takes no file that ends in DequantizeLinear; without that node its answers are "
        "wrong. Read the file with engine=cv2.dnn.ENGINE_CLASSIC.",
    ),
)


def fault_of(client: str, file: str, network: str) -> Fault | None:
    """The fault that is known of these."""
    for one in FAULTS:
        if client in one.clients and file in one.files and network in (one.networks or (network,)):
            return one
    return None
