"""ncnn in 8-bit integers: the work of ncnn's own tool, which no Python package contains.

The file of weights holds the layers in the order of the graph (ncnn's ModelBin). A layer has a tag of
four bytes, its weights, its bias, and in int8 the scales of its weights and of its input. A scale is the
integer that represents 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from blocks.errors import InvalidInput

Array: TypeAlias = NDArray[np.float32]

LARGEST = 127
FLOAT_TAG, INT8_TAG = 0, 0x000D4B38
BIAS = {"Convolution": 5, "ConvolutionDepthWise": 5, "InnerProduct": 1}
"""Kind of a layer with weights -> the parameter that tells whether it has a bias."""
SIZE = {"Convolution": 6, "ConvolutionDepthWise": 6, "InnerProduct": 2}
"""Kind of a layer with weights -> the parameter with the number of weights."""
CONSTANT = "MemoryData"
"""Kind of a layer that is a constant map: numbers without a tag."""
GROUPS, SCALES = 7, 8
PACKED = 8
"""Number of channels that ncnn packs together in int8."""
HEADER = 2
"""Number of lines of a graph before its layers."""


@dataclass
class Layer:
    """A layer with weights.

    Attributes:
        line: Number of its line in the graph's text.
        kind: ncnn's name of the kind.
        name: The converter's name of the layer.
        source: The blob that it reads.
        parameters: Parameters by number, as text.
        weight: (rows, weights per row); each row has its own scale.
        bias: One value per output channel; empty without a bias.
    """

    line: int
    kind: str
    name: str
    source: str
    parameters: dict[int, str]
    weight: Array = field(default_factory=lambda: np.empty((0, 0), np.float32))
    bias: Array = field(default_factory=lambda: np.empty(0, np.float32))

    @property
    def rows(self) -> int:
        """Number of rows: output channels, or groups of a grouped convolution, each with one scale."""
        if self.kind == "ConvolutionDepthWise":
            return int(self.parameters[GROUPS])
        return int(self.parameters[0])

    @property
    def is_wrong_in_integers(self) -> bool:
        """Whether ncnn (1.0.20261020, x86) computes this layer wrongly in int8.

        It computes groups of 8, 16, ... channels wrongly in its packed layout. A file cannot turn that
        layout off.
        """
        if self.kind != "ConvolutionDepthWise":
            return False
        width = int(self.parameters[0]) // self.rows
        return width % PACKED == 0

    @property
    def is_constant(self) -> bool:
        """Whether it is a constant map, which stays as it is."""
        return self.kind == CONSTANT

    def read(self, weights: bytes, start: int) -> int:
        """Read the layer from ``weights``; return the offset of the next layer."""
        if self.is_constant:
            sides = [int(self.parameters.get(number, "0")) or 1 for number in (0, 1, 2, 11)]
            self.weight = np.frombuffer(weights, np.float32, math.prod(sides), start)
            return start + self.weight.nbytes
        size = int(self.parameters[SIZE[self.kind]])
        tag = int.from_bytes(weights[start : start + 4], "little")
        if tag != FLOAT_TAG:
            raise InvalidInput(f"ncnn: weights with the tag {tag:#x}; allowed: float32")
        found = np.frombuffer(weights, np.float32, size, start + 4)
        self.weight = found.reshape(self.rows, -1)
        end = start + 4 + 4 * size
        if int(self.parameters.get(BIAS[self.kind], "0")):
            self.bias = np.frombuffer(weights, np.float32, int(self.parameters[0]), end)
        return end + 4 * len(self.bias)

    def plain(self) -> bytes:
        """The layer in float32, as it was read."""
        if self.is_constant:
            return self.weight.tobytes()
        return FLOAT_TAG.to_bytes(4, "little") + self.weight.tobytes() + self.bias.tobytes()

    def quantized(self, largest_input: float, per_channel: bool) -> bytes:
        """The layer in int8, for inputs of absolute values up to ``largest_input``."""
        largest = np.abs(self.weight).max(1)
        if not per_channel:
            largest = np.full_like(largest, largest.max())
        # A row of zeros, as from padding, and an input of zeros may have any scale.
        scales = (LARGEST / np.where(largest > 0, largest, LARGEST)).astype(np.float32)
        integers = np.rint(self.weight * scales[:, None]).astype(np.int8).tobytes()
        integers += bytes(-len(integers) % 4)
        source = np.float32(LARGEST / (largest_input or LARGEST))
        tag = INT8_TAG.to_bytes(4, "little")
        return b"".join([tag, integers, self.bias.tobytes(), scales.tobytes(), source.tobytes()])


def quantize_files(
    model: nn.Module,
    images: Tensor,
    per_channel: bool,
    float_layers: frozenset[str],
    floats: tuple[Path, Path],
    integers: tuple[Path, Path],
) -> tuple[str, ...]:
    """Write the network of the files ``floats`` (graph, weights) in int8 as ``integers``.

    Args:
        model: The network that the files hold.
        images: Calibration images, (N, C, H, W): the largest absolute value that a layer reads is
            represented by the largest integer.
        per_channel: Use one scale per row of weights, else one per layer.
        float_layers: Paths in ``model`` of the layers that stay in float32.
        floats: The float32 files to read.
        integers: The int8 files to write.

    Returns:
        Paths of the layers that stay in float32 since ncnn computes them wrongly in integers.

    Raises:
        InvalidInput: The graph has an unknown kind of layer with weights.
    """
    lines = floats[0].read_text(encoding="utf-8").splitlines()
    layers = _layers(lines)
    weights, start = floats[1].read_bytes(), 0
    for layer in layers:
        start = layer.read(weights, start)
    if start != len(weights):
        raise InvalidInput("ncnn: the graph has layers with weights that cannot be quantized here")
    names = _names(layers, model)
    wrong = {name for layer, name in zip(layers, names, strict=True) if layer.is_wrong_in_integers}
    if unknown := float_layers.difference(names):
        raise InvalidInput(f"ncnn: layer {min(unknown)} is not found among the converted ones")
    reading = [layer for layer in layers if not layer.is_constant]
    largest = _largest(reading, images, floats)
    content = b""
    for layer, name in zip(layers, names, strict=True):
        if layer.is_constant or name in float_layers | wrong:
            content += layer.plain()
            continue
        content += layer.quantized(largest[layer.source], per_channel)
        lines[layer.line] += f" {SCALES}={1 if layer.kind == 'ConvolutionDepthWise' else 2}"
    integers[1].write_bytes(content)
    integers[0].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tuple(sorted(wrong))


def _layers(lines: Sequence[str]) -> list[Layer]:
    """The layers with weights of a graph: ``kind name inputs outputs blobs... parameters...``."""
    found = []
    for number, line in enumerate(lines[HEADER:], HEADER):
        kind, name, inputs, outputs, *rest = line.split()
        if kind in SIZE or kind == CONSTANT:
            words = rest[int(inputs) + int(outputs) :]
            pairs = [word.split("=", 1) for word in words]
            parameters = {int(key): value for key, value in pairs}
            found.append(Layer(number, kind, name, rest[0], parameters))
    return found


def _names(layers: Sequence[Layer], model: nn.Module) -> list[str]:
    """Paths of the layers in ``model``, found by their weights: the converter keeps no names."""
    paths = {
        module.weight.detach().numpy().tobytes(): path
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
    return [paths.get(layer.weight.tobytes(), layer.name) for layer in layers]


def _largest(layers: Sequence[Layer], images: Tensor, files: tuple[Path, Path]) -> dict[str, float]:
    """The largest absolute value of each blob that a layer reads."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_storage = net.opt.use_fp16_packed = net.opt.use_fp16_arithmetic = False
    net.load_param(str(files[0]))
    net.load_model(str(files[1]))
    largest = dict.fromkeys((layer.source for layer in layers), 0.0)
    for image in images:
        extractor = net.create_extractor()
        extractor.set_light_mode(
            False
        )  # ncnn otherwise frees the blobs before the next one is read
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(image.numpy())))
        for blob in largest:
            _, values = extractor.extract(blob)
            largest[blob] = max(largest[blob], float(np.abs(np.array(values)).max()))
    return largest
