"""Core ML: the program that is written is the network; its labels and its image input."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from blocks.deploy import fuse
from nas.exporting.pixels import from_pixels
from nas.exporting.targets import Description
from tests.nas.exporting.export_helpers import THREE, mobile_network, network
from tests.nas.exporting.mil_program import run_package

pytest.importorskip("coremltools")

from nas.exporting.targets.coreml import class_names, describe, write_coreml, write_coreml_fp16

pytestmark = pytest.mark.integration


def ready(model: nn.Module, channels: int) -> tuple[nn.Module, torch.Tensor]:
    """The network as the target gets it, and images of pixels from 0 to 255."""
    whole = from_pixels(fuse(model, "graph"), [0.4] * channels, [0.3] * channels, channels)
    pixels = torch.randint(
        0, 256, (4, channels, 32, 32), generator=torch.Generator().manual_seed(0)
    )
    return whole, pixels.float()


@pytest.mark.parametrize(("model", "channels"), [(network(**THREE), 1), (mobile_network(), 3)])
@pytest.mark.parametrize(("write", "tolerance"), [(write_coreml, 1e-4), (write_coreml_fp16, 0.1)])
def test_program_computes_what_the_network_does(
    model: nn.Module, channels: int, write: object, tolerance: float, tmp_path: Path
) -> None:
    assert callable(write)
    whole, pixels = ready(model, channels)
    (file,) = write(whole, pixels[:1] / 255, tmp_path).files
    with torch.inference_mode():
        wanted = whole(pixels / 255).softmax(1)
    for image, scores in zip(pixels, wanted, strict=True):
        found = run_package(file, image[None])
        assert (found - scores).abs().max() < tolerance
        assert found.argmax() == scores.argmax()
    assert wanted.argmax(1).unique().numel() > 1


def test_file_names_the_classes(tmp_path: Path) -> None:
    whole, pixels = ready(network(), 1)
    names = [f"kind {number}" for number in range(10)]
    (file,) = write_coreml(whole, pixels[:1] / 255, tmp_path).files
    describe(file, Description(names, 0.0, 255.0))
    assert class_names(file) == names


def test_a_grey_image_may_have_any_strides(tmp_path: Path) -> None:
    whole, pixels = ready(network(), 1)
    image = (pixels[:1] / 255).to(memory_format=torch.channels_last)  # as a loader gives it
    (file,) = write_coreml(whole, image, tmp_path).files
    assert run_package(file, pixels[:1]).shape == (1, 10)
