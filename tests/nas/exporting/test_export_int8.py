"""Which layers stay in float32 is found by measurement."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from nas.exporting.evaluate import evaluate, load
from nas.exporting.int8 import most_harmful_layers, quantize
from nas.exporting.targets import TARGETS, Quantization, Written
from tests.nas.exporting.export_helpers import Spoiled, write
from tests.nas.exporting.export_helpers import quantize as whole

pytestmark = pytest.mark.integration


def test_the_spoiled_layers_are_the_most_harmful() -> None:
    model = Spoiled().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert set(most_harmful_layers(model, torch.randn(16, 1, 4, 4))[:2]) == {"loud", "deaf"}
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert not any(module._forward_hooks for module in model.modules())


def sure_images(model: Spoiled) -> tuple[Tensor, Tensor]:
    """Images whose class is not decided by a hair, and their classes."""
    images = torch.randn(400, 1, 4, 4)
    with torch.inference_mode():
        logits = model(images)
    best = logits.topk(2).values
    sure = (best[:, 0] - best[:, 1]) > 0.3 * logits.std()
    assert sure.sum() > 100
    return images[sure], logits.argmax(1)[sure]


@pytest.mark.parametrize("name", ["onnx", "litert", "ncnn"])
def test_layers_whose_rounding_costs_accuracy_stay_in_float32(name: str, tmp_path: Path) -> None:
    model = Spoiled().eval()
    images, labels = sure_images(model)
    write(name, model, images[:1], tmp_path)
    done = quantize(name, TARGETS[name], model, Quantization(images), labels, tmp_path)
    assert set(done.float_layers) >= {"loud", "deaf"}
    kept = accuracy(name, done.written, model, images, labels)
    everything = whole(name, model, Quantization(images), tmp_path)
    assert kept > accuracy(name, everything, model, images, labels) + 0.4
    assert kept > (0.7 if name == "litert" else 0.99)  # LiteRT also rounds what lies between layers


def accuracy(name: str, written: Written, model: Spoiled, images: Tensor, labels: Tensor) -> float:
    """In the runtime."""
    runs = {name: load(name, written.files[0])}
    return evaluate(model, runs, iter([(images, labels)])).runtimes[name].accuracy


def test_no_layer_stays_in_float32_without_need(tmp_path: Path) -> None:
    model = Spoiled(factor=1).eval()
    images, labels = sure_images(model)
    write("onnx", model, images[:1], tmp_path)
    assert (
        quantize(
            "onnx", TARGETS["onnx"], model, Quantization(images), labels, tmp_path
        ).float_layers
        == ()
    )
