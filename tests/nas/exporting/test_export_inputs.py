"""What the files take and how they are read by others: pixels, 16 bits, names of tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import nas
from blocks.deploy import fuse
from blocks.errors import InvalidInput
from nas.exporting.evaluate import load
from nas.exporting.shipped.runtime import Pixels
from nas.exporting.targets import Quantization
from nas.exporting.targets.litert import quantize_litert, write_litert
from nas.exporting.targets.ncnn import write_ncnn, write_ncnn_fp16
from nas.exporting.targets.onnx import take_bytes, write_onnx
from nas.exporting.targets.tflite_file import read_tflite
from tests.nas.exporting.export_helpers import mobile_network, network

pytestmark = pytest.mark.integration

MEAN, STD = (0.4, 0.5, 0.3), (0.2, 0.3, 0.25)


def test_onnx_file_takes_pixels(tmp_path: Path) -> None:
    model = fuse(mobile_network(), "graph")
    pixels = torch.randint(0, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(one).view(1, -1, 1, 1) for one in (MEAN, STD))
    images = (pixels / 255 - mean) / std
    (file,) = write_onnx(model, images[:1], tmp_path).files
    take_bytes(file, MEAN, STD)
    with torch.inference_mode():
        wanted = model(images).numpy()
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    assert (port.name, port.type, port.shape[1:]) == ("pixels", "tensor(uint8)", [3, 32, 32])
    (found,) = session.run(None, {"pixels": pixels.to(torch.uint8).numpy()})  # any number of images
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()
    run = load("onnx", file, Pixels(MEAN, STD, 3))  # as the programs of a bundle do
    assert np.abs(run(images[:1].numpy()) - wanted[:1]).max() < 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("backbone", ["shufflenet_v2", "mobilenet_v3_small"])
@pytest.mark.parametrize("kind", ["sk", "se"])
def test_a_grey_network_computes_with_no_shapes(backbone: str, kind: str, tmp_path: Path) -> None:
    # Maps of one channel count as channels last, too; a pooling then became a Gather with computed rows,
    # which OpenCV refuses.
    spec = nas.ArchSpec(
        backbone=backbone, width=0.5, num_classes=4, in_channels=1, input_size=32,
        unit=nas.UnitSpec(kind=kind),
    )  # fmt: skip
    images = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    model = fuse(nas.build(spec).eval(), "graph")
    (file,) = write_onnx(model, images[:1], tmp_path).files
    operators = {node.op_type for node in onnx.load(file).graph.node}
    assert not operators & {"Gather", "Range", "Shape"}
    (found,) = onnxruntime.InferenceSession(str(file)).run(None, {"image": images.numpy()})
    with torch.inference_mode():
        wanted = model(images).numpy()
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_ncnn_in_16_bits_is_half_as_large_and_gives_the_same_class(tmp_path: Path) -> None:
    model = fuse(network(), "ncnn")
    images = torch.randn(8, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    whole, half = (
        write(model, images[:1], tmp_path).files for write in (write_ncnn, write_ncnn_fp16)
    )
    assert half[1].stat().st_size < 0.52 * whole[1].stat().st_size
    runs = [load("ncnn", files[0]) for files in (whole, half)]
    for image in images:
        first, second = (run(image[None].numpy()) for run in runs)
        assert first.argmax() == second.argmax()


def test_other_readers_tell_tensors_and_operators_apart(tmp_path: Path) -> None:
    model = fuse(network(), "channels_last")
    images = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    write_litert(model, images[:1], tmp_path)
    (file,) = quantize_litert(model, Quantization(images, io="int8"), tmp_path).files
    content = read_tflite(file)
    names = [tensor.name for tensor in content.subgraphs[0].tensors]
    assert len(set(names)) == len(names)
    assert b"" not in names
    for code in content.operatorCodes:
        assert code.deprecatedBuiltinCode == code.builtinCode  # all of them are old ones


def test_16_bits_need_a_target_that_has_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="fp16: onnx; allowed: with the targets ncnn or coreml"):
        nas.export(tmp_path / "checkpoint.pt", targets=["onnx"], fp16=True)
