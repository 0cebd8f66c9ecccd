"""ncnn's graphs and weights in int8, as this project writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from blocks import InvalidInput
from blocks.deploy import fuse
from nas.exporting.evaluate import load
from nas.exporting.targets import TARGETS, Quantization
from nas.exporting.targets.ncnn_int8 import quantize_files
from tests.nas.exporting.export_helpers import THREE, TWO, network, quantize, write

pytestmark = pytest.mark.integration


class Grouped(nn.Module):
    """Every kind of layer that has weights: dense, grouped, depthwise (in part zeros) and linear."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Conv2d(2, 8, 3, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.linear = nn.Linear(8, 3)
        nn.init.zeros_(self.depthwise.weight[3:5])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, 3) of images (B, 2, H, W)."""
        x = self.depthwise(self.grouped(self.dense(x).relu()).relu())
        logits: torch.Tensor = self.linear(x.mean((2, 3)))
        return logits


def test_every_kind_of_layer_computes_in_integers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, images = Grouped().eval().requires_grad_(False), torch.randn(32, 2, 9, 9)
    fp32 = write("ncnn", model, images[:1], tmp_path)
    int8 = quantize("ncnn", model, Quantization(images), tmp_path)
    graph = int8.files[0].read_text().splitlines()
    scaled = [line.split()[0] for line in graph if line.split()[-1].startswith("8=")]
    grouped = ["ConvolutionDepthWise"] * 2
    assert sorted(scaled) == ["Convolution", *grouped, "InnerProduct"]
    assert int8.files[1].stat().st_size < 0.6 * fp32.files[1].stat().st_size
    run, wanted = load("ncnn", int8.files[0]), model(images).numpy()
    got = np.concatenate([run(image[None].numpy()) for image in images])
    assert 0 < np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()


@pytest.mark.parametrize("width", [2, 4, 8, 16])
def test_groups_of_any_width_are_computed_as_they_should(width: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 32, 1), nn.Conv2d(32, 32, 3, padding=1, groups=32 // width), nn.Conv2d(32, 8, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(1),
    ).eval().requires_grad_(False)  # fmt: skip
    images = torch.randn(16, 2, 9, 9)
    write("ncnn", model, images[:1], tmp_path)
    written = quantize("ncnn", model, Quantization(images), tmp_path)
    run, wanted = load("ncnn", written.files[0]), model(images).numpy()
    got = np.concatenate([run(image[None].numpy()) for image in images])
    assert 0 < np.abs(got - wanted).mean() < 0.05 * wanted.std()
    # In groups of eight ncnn itself is wrong.
    assert written.float_layers == (("1",) if width % 8 == 0 else ())


@pytest.mark.parametrize("unit", [TWO, THREE], ids=["two branches", "three"])
def test_a_network_of_units_loses_what_it_loses_elsewhere(
    unit: dict[str, object], tmp_path: Path
) -> None:
    lost = {}
    for name in ("onnx", "ncnn"):
        target = TARGETS[name]
        model = fuse(network(**unit), target.form)
        torch.manual_seed(1)
        images = torch.randn(24, 1, 32, 32)
        write(name, model, images[:1], tmp_path)
        run = load(name, quantize(name, model, Quantization(images), tmp_path).files[0])
        got = np.concatenate([run(image[None].numpy()) for image in images])
        lost[name] = float(np.abs(got - model(images).numpy()).mean())
    assert 0 < lost["ncnn"] < 1.5 * lost["onnx"]


def test_what_is_no_graph_in_float32_is_refused(tmp_path: Path) -> None:
    model, images = Grouped().eval().requires_grad_(False), torch.randn(2, 2, 9, 9)
    graph, weights = write("ncnn", model, images[:1], tmp_path).files
    int8 = quantize("ncnn", model, Quantization(images), tmp_path).files
    out = tmp_path / "out.param", tmp_path / "out.bin"
    with pytest.raises(InvalidInput, match="weights with the tag 0xd4b38"):
        quantize_files(model, images, True, frozenset(), (graph, int8[1]), out)
    longer = tmp_path / "longer.bin"
    longer.write_bytes(weights.read_bytes() + bytes(4))
    with pytest.raises(InvalidInput, match="layers with weights that cannot be quantized"):
        quantize_files(model, images, True, frozenset(), (graph, longer), out)
    other = Grouped()
    with pytest.raises(InvalidInput, match="layer dense is not found"):
        quantize_files(other, images, True, frozenset({"dense"}), (graph, weights), out)
    assert not out[0].exists()
