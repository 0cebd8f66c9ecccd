"""What clients rely on in a .tflite file, read back by its schema and by other runtimes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from blocks.deploy import fuse
from nas.exporting.evaluate import load
from nas.exporting.pixels import GREY, from_pixels, pixels_of
from nas.exporting.targets import TARGETS, Description, Quantization, Wishes
from nas.exporting.targets.ethos_u import write_ethos_u
from nas.exporting.targets.litert import FP32, INT8
from nas.exporting.targets.onnx import write_onnx
from nas.exporting.targets.tflite_file import operators, read_tflite
from nas.exporting.targets.tflm import measured_arena, resolver_method, write_tflm
from tests.nas.exporting.export_helpers import TWO, network, quantize, write

MEAN, STD = (0.3,), (0.4,)


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Pixels / 255 of grey images, as a camera gives them."""
    return torch.randint(0, 256, (20, 1, 32, 32), generator=torch.Generator().manual_seed(1)) / 255


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, images: Tensor) -> tuple[nn.Module, Path]:
    """A network with its normalisation in front, and the folder with its files, described."""
    folder = tmp_path_factory.mktemp("tflite")
    model = network(**TWO)
    with torch.no_grad():  # classes that 8 bits can tell apart
        model.get_parameter("fc.weight").mul_(20)
    whole = from_pixels(fuse(model, "channels_last"), MEAN, STD, 1)
    describe = TARGETS["litert"].describe
    assert describe is not None
    write("litert", whole, images[:1], folder)
    quantize("litert", whole, Quantization(images, io="int8", input_range=(0.0, 1.0)), folder)
    for name in (FP32, INT8):
        describe(folder / name, Description([f"class {k}" for k in range(10)], 0.0, 255.0))
    return whole, folder


@pytest.mark.integration
@pytest.mark.slow
def test_constants_lie_inside_and_names_are_gone(served: tuple[nn.Module, Path]) -> None:
    from ai_edge_litert.schema_py_generated import ModelT

    for name in (FP32, INT8):
        content = (served[1] / name).read_bytes()
        # Not by the function that mends it: as a client without offsets reads it.
        model = ModelT.InitFromPackedBuf(content, 0)
        assert not any(buffer.offset for buffer in model.buffers)
        graph = model.subgraphs[0]
        assert graph.tensors[graph.inputs[0]].name == b"image"
        assert graph.tensors[graph.outputs[0]].name == b"scores"
        assert max(len(tensor.name or b"") for tensor in graph.tensors) < 60


@pytest.mark.integration
@pytest.mark.slow
def test_labels_and_normalisation_are_read_from_the_file(served: tuple[nn.Module, Path]) -> None:
    content = (served[1] / INT8).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("labels.txt").decode().split("\n")[9] == "class 9"
    model = read_tflite(served[1] / INT8)
    (entry,) = [one for one in model.metadata if one.name == b"TFLITE_METADATA"]
    metadata = bytes(model.buffers[entry.buffer].data)
    assert metadata[4:8] == b"M001"
    assert np.float32(255).tobytes() in metadata


@pytest.mark.integration
@pytest.mark.slow
def test_each_shuffle_is_one_transposition(served: tuple[nn.Module, Path]) -> None:
    found = operators(read_tflite(served[1] / FP32))
    assert found.count("TRANSPOSE") == 16
    assert "PADV2" not in found
    assert found[-1] == "SOFTMAX"


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["int8", "uint8", "float32"])
def test_a_cameras_bytes_go_straight_in(
    served: tuple[nn.Module, Path], images: Tensor, io_type: str, tmp_path: Path
) -> None:
    whole, folder = served
    (tmp_path / FP32).write_bytes((folder / FP32).read_bytes())
    how = Quantization(images, io=io_type, input_range=(0.0, 1.0))  # type: ignore[arg-type]
    run = load("litert", quantize("litert", whole, how, tmp_path).files[0])
    assert (run.input.order, run.input.type, run.output.name) == ("NHWC", io_type, "scores")
    if io_type != "float32":
        given = run.given(images[:1].numpy()).astype(int)
        bytes_ = (images[:1] * 255).round().int().permute(0, 2, 3, 1).numpy()
        assert (given - run.input.zero == bytes_).all()
        assert run.input.zero == (-128 if io_type == "int8" else 0)
    with torch.inference_mode():
        wanted = whole(images).argmax(1).numpy()
    got = np.concatenate([run(image[None]) for image in images.numpy()]).argmax(1)
    assert (got == wanted).mean() >= 0.9


@pytest.mark.integration
@pytest.mark.slow
def test_a_microcontroller_names_the_same_classes(
    served: tuple[nn.Module, Path], images: Tensor, tmp_path: Path
) -> None:
    written = write_tflm(served[1] / INT8, tmp_path, Wishes())
    micro, lite = load("tflm", written.files[0]), load("litert", served[1] / INT8)
    both = [(micro(image[None]), lite(image[None])) for image in images.numpy()]
    assert all(abs(np.exp(one) - np.exp(other)).max() <= 2 / 256 for one, other in both)
    assert written.arena is not None
    assert (written.arena.head, written.arena.tail) == measured_arena(written.files[0])
    assert written.arena.flash == written.files[0].stat().st_size
    array = (tmp_path / "model_data.cc").read_text()
    numbers = [int(text, 16) for text in array.partition("{")[2].replace("};", "").split(",")[:-1]]
    assert bytes(numbers) == written.files[0].read_bytes()
    program = (tmp_path / "main.cc").read_text()
    assert f"MicroMutableOpResolver<{len(written.arena.operators)}>" in program
    assert all(f"resolver.{resolver_method(one)}()" in program for one in written.arena.operators)


@pytest.mark.integration
@pytest.mark.slow
def test_an_npu_runs_every_operator(served: tuple[nn.Module, Path], tmp_path: Path) -> None:
    npu = write_ethos_u(served[1] / INT8, tmp_path, Wishes(accelerator="ethos-u55-64")).npu
    assert npu is not None
    assert (npu.accelerator, npu.on_cpu) == ("ethos-u55-64", 0)
    assert npu.on_npu > 100
    assert npu.sram > 0
    assert npu.cycles > 0


class Dead(nn.Module):
    """A layer whose output is 0 on every image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.dead = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.last = nn.Linear(8, 3)
        with torch.no_grad():
            assert self.dead.bias is not None
            self.dead.bias.fill_(-100)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 3) of images (B, 1, H, W)."""
        x = self.first(x).relu()
        gate = self.dead(x).relu()
        logits: Tensor = self.last((x + x * gate).mean((2, 3)))
        return logits


@pytest.mark.integration
@pytest.mark.slow
def test_an_activation_that_is_always_0_has_a_scale(tmp_path: Path) -> None:
    model, images = Dead().eval(), torch.rand(8, 1, 8, 8)
    write("litert", model, images[:1], tmp_path)
    run = load("litert", quantize("litert", model, Quantization(images), tmp_path).files[0])
    with torch.inference_mode():
        wanted = model(images).log_softmax(1).numpy()
    got = np.concatenate([run(image[None]) for image in images.numpy()])
    assert np.abs(got - wanted).max() < 0.1


@given(
    channels=st.sampled_from([1, 3]),
    rgb=st.booleans(),
    mean=st.floats(0, 1),
    std=st.floats(0.05, 1),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=50, deadline=None)
def test_pixels_in_front_are_the_normalisation(
    channels: int, rgb: bool, mean: float, std: float, seed: int
) -> None:
    means = tuple(mean * (k + 1) / channels for k in range(channels))
    stds = tuple(std * (k + 1) / channels for k in range(channels))
    wide = 3 if rgb else channels
    whole = from_pixels(nn.Identity(), means, stds, wide)
    pixels = torch.rand(2, wide, 4, 4, generator=torch.Generator().manual_seed(seed))
    seen = pixels
    if wide != channels:
        seen = (pixels * torch.tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    shape = (1, channels, 1, 1)
    wanted = (seen - torch.tensor(means).view(shape)) / torch.tensor(stds).view(shape)
    torch.testing.assert_close(whole(pixels), wanted, rtol=1e-4, atol=1e-4)
    back = pixels_of(wanted, means, stds, wide)
    torch.testing.assert_close(whole(back), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.integration
@pytest.mark.slow
def test_onnx_files_are_old_enough_and_take_any_number_of_images(tmp_path: Path) -> None:
    model, images = network(**TWO), torch.randn(3, 1, 32, 32)
    file = write_onnx(fuse(model, "graph"), images[:1], tmp_path).files[0]
    graph = onnx.load(file)
    assert graph.ir_version == 8
    assert [(one.domain, one.version) for one in graph.opset_import] == [("", 18)]
    assert not {"Shape", "Gather"} & {node.op_type for node in graph.graph.node}
    got = onnxruntime.InferenceSession(file).run(None, {"image": images.numpy()})[0]
    with torch.inference_mode():
        np.testing.assert_allclose(got, model(images).numpy(), atol=1e-4)
