"""Every runtime computes what the network computes, by the runtime itself."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from blocks import InvalidInput
from blocks.deploy import fuse
from nas.exporting import TARGETS
from nas.exporting.bundle import TOLERANCE
from nas.exporting.evaluate import below_largest, load
from nas.exporting.targets import ON_THIS_MACHINE, Quantization, Written
from tests.nas.exporting.export_helpers import (
    PLAIN,
    THREE,
    TWO,
    Spoiled,
    mobile_network,
    network,
    quantize,
    write,
)

pytestmark = pytest.mark.integration


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *(("onnx", unit) for unit in (PLAIN, TWO, THREE)),
        # Units that run a layer twice, or multiply twice.
        *(("onnx", {"kind": kind}) for kind in ("nl", "cbam")),
        *(("ncnn", unit) for unit in (PLAIN, TWO, THREE)),
        ("executorch", TWO),
        ("litert", TWO),
        # A quarter of a minute each.
        pytest.param("executorch", THREE, marks=pytest.mark.long),
        pytest.param("litert", THREE, marks=pytest.mark.long),
    ],
)
def test_every_runtime_gives_the_networks_logits(
    name: str, unit: dict[str, Any], tmp_path: Path
) -> None:
    target, model = TARGETS[name], network(**unit)
    # As batches come: the strides of channels_last, which one channel alone does not show.
    images = torch.randn(4, 1, 32, 32).to(memory_format=torch.channels_last)
    assert images.stride() == (1024, 1, 32, 1)
    with torch.inference_mode():
        wanted = model(images).numpy()
    assert np.ptp(wanted, axis=0).max() > 0.1  # not the same logits for every image
    written = write(name, fuse(model, target.form), images[:1], tmp_path)
    assert sorted(written.files) == sorted(tmp_path.iterdir())
    assert not written.undelegated
    run = load(name, written.files[0])
    got = np.concatenate([run(image[None]) for image in images.contiguous().numpy()])
    # The tolerance that a bundle is held to.
    atol = TOLERANCE["fp32"] * max(1, np.abs(wanted).max())
    np.testing.assert_allclose(below_largest(got), below_largest(wanted), rtol=0, atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "onnx",
        "ncnn",
        *(pytest.param(one, marks=pytest.mark.long) for one in ("executorch", "litert")),
    ],
)
def test_uneven_padding_and_a_shifted_image_in_every_runtime(name: str, tmp_path: Path) -> None:
    target, model = TARGETS[name], mobile_network()
    images = torch.randn(16, 3, 32, 32)
    with torch.inference_mode():
        wanted = model(images).numpy()
    assert np.ptp(wanted, axis=0).max() > 0.1
    fused = fuse(model, target.form)

    def logits(written: Written) -> NDArray[np.float32]:
        assert not written.undelegated
        run = load(name, written.files[0])
        return np.concatenate([run(image[None]) for image in images.numpy()])

    floats, atol = (
        logits(write(name, fused, images[:1], tmp_path)),
        TOLERANCE["fp32"] * np.abs(wanted).max(),
    )
    np.testing.assert_allclose(below_largest(floats), below_largest(wanted), rtol=0, atol=atol)
    integers = logits(quantize(name, fused, Quantization(images), tmp_path))
    # Random weights: rounding adds up over fifty layers.
    assert np.corrcoef(integers.ravel(), wanted.ravel())[0, 1] > 0.8


def errors(name: str, how: Quantization, folder: Path, images: Tensor) -> float:
    """The mean change of a logit, or of a score, by quantizing the spoiled network."""
    model = Spoiled().eval()
    write(name, model, images[:1], folder)
    run = load(name, quantize(name, model, how, folder).files[0])
    got = np.concatenate([run(image[None]) for image in images.numpy()])
    with torch.inference_mode():
        wanted = model(images).numpy()
    if name == "litert":  # its scores have steps of 1/256
        got, wanted = scores(got), scores(wanted)
    return float(np.abs(got - wanted).mean())


def scores(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores (B, K), which add up to 1."""
    return torch.from_numpy(logits).softmax(1).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_THIS_MACHINE)
def test_layers_that_are_named_stay_in_float32(name: str, tmp_path: Path) -> None:
    images = torch.randn(64, 1, 4, 4)
    kept = Quantization(images, float_layers=frozenset({"loud", "deaf"}))
    spoiled = errors(name, Quantization(images), tmp_path, images)
    # LiteRT also rounds what lies between the layers.
    assert errors(name, kept, tmp_path, images) < spoiled / (2 if name == "litert" else 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_THIS_MACHINE)
def test_a_scale_a_channel_is_finer_than_one_a_layer(name: str, tmp_path: Path) -> None:
    model = Spoiled(factor=1).eval()  # seeds the images too
    images = torch.randn(64, 1, 4, 4)
    with torch.no_grad():
        model.deaf.weight[0] *= 200  # its own scale spares the other channels
        assert model.deaf.bias is not None
        model.deaf.bias[0] = -1e4  # and its activation, 0 behind the ReLU, widens no range
    change = {}
    with torch.inference_mode():
        wanted = model(images).numpy()
    for per_channel in (True, False):
        write(name, model, images[:1], tmp_path)
        how = Quantization(images, per_channel=per_channel)
        written = quantize(name, model, how, tmp_path)
        run = load(name, written.files[0])
        got = np.concatenate([run(image[None]) for image in images.numpy()])
        change[per_channel] = float(np.abs(got - wanted).mean())
    assert change[True] < change[False]


def test_onnx_files_hold_no_paths_of_this_machine(tmp_path: Path) -> None:
    model, images = Spoiled().eval(), torch.randn(2, 1, 4, 4)
    for written in (
        write("onnx", model, images[:1], tmp_path),
        quantize("onnx", model, Quantization(images), tmp_path),
    ):
        content = written.files[0].read_bytes()
        onnx.checker.check_model(onnx.load(written.files[0]))
        for trace in (b"site-packages", b"stack_trace", b"name_scopes", str(Path.cwd()).encode()):
            assert trace not in content


def test_onnx_layers_are_named_by_their_modules(tmp_path: Path) -> None:
    written = write("onnx", Spoiled().eval(), torch.randn(1, 1, 4, 4), tmp_path)
    names = [node.name for node in onnx.load(written.files[0]).graph.node]
    assert [name for name in names if not name.startswith("node_")] == [
        "first",
        "loud",
        "deaf",
        "last",
    ]
    assert len(set(names)) == len(names)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    module = importlib.import_module("nas.exporting.targets.target")
    monkeypatch.setattr(module, "version", missing)
    with pytest.raises(
        InvalidInput, match=r"target ncnn: the package ncnn is missing; pip install"
    ):
        TARGETS["ncnn"].check_installed("ncnn")
