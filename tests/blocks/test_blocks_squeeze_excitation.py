from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from blocks import ArchSpec, InvalidInput, SqueezeExcitation, UnitSpec, build


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 20),
    st.integers(1, 7),
    st.integers(1, 7),
    st.sampled_from(["avg", "max", "none"]),
)
def test_equals_the_equations_with_gradients(
    channels: int, reduction: int, height: int, width: int, pool: str
) -> None:
    torch.manual_seed(channels * 100 + reduction)
    unit = SqueezeExcitation(channels, reduction, pool).double()  # type: ignore[arg-type]
    for weight in unit.parameters():
        torch.nn.init.normal_(weight)
    x = torch.randn(2, channels, height, width, dtype=torch.float64, requires_grad=True)
    first, second = unit.squeeze.weight.flatten(1), unit.excite.weight.flatten(1)
    assert first.shape == (max(channels // reduction, 1), channels)

    pixels = x.flatten(2)  # (B, C, H W)
    summary = {"avg": pixels.mean(2), "max": pixels.max(2).values}  # (2), and Sec. 6.2
    z = summary[pool][..., None] if pool in summary else pixels
    gate = 1 / (1 + torch.exp(-(second @ (first @ z).clamp(min=0))))  # (3)
    wanted = (gate * pixels).reshape(x.shape)  # (4)

    got = unit(x)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    weights = [x, *unit.parameters()]
    pull = torch.randn_like(got)
    for ours, theirs in zip(
        torch.autograd.grad((got * pull).sum(), weights),
        torch.autograd.grad((wanted * pull).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)


def test_has_no_biases_and_reduces_by_sixteen() -> None:
    shapes = {name: tuple(p.shape) for name, p in SqueezeExcitation(64).named_parameters()}
    assert shapes == {"squeeze.weight": (4, 64, 1, 1), "excite.weight": (64, 4, 1, 1)}


@pytest.mark.parametrize(("channels", "reduction"), [(0, 1), (4, 0)])
def test_refuses_figures_below_one(channels: int, reduction: int) -> None:
    with pytest.raises(InvalidInput, match="is below 1"):
        SqueezeExcitation(channels, reduction)


def test_refuses_another_pool() -> None:
    with pytest.raises(InvalidInput, match="pool: att; se allows avg, max, none"):
        SqueezeExcitation(4, pool="att")


# The blocks of three families, written down as their papers draw them, with the unit where SENet's
# Fig. 5 has it; each takes the plain block, the unit, its placement, and what the block reads.
# Placed at the convolution, ShuffleNetV2 has a second unit where the shortcut has a convolution.


def shufflenet_block(
    block: Any, unit: nn.Module, placement: str, x: Tensor, beside: nn.Module | None = None
) -> Tensor:
    y = x
    if len(block.branch1):
        depthwise, norm, *others = block.branch1
        shortcut = norm(depthwise(x))
        shortcut = nn.Sequential(*others)(shortcut if beside is None else beside(shortcut))
    else:
        shortcut, y = x[:, : x.shape[1] // 2], x[:, x.shape[1] // 2 :]
    y = unit(y) if placement == "pre" else y
    for index, layer in enumerate(block.branch2):
        y = layer(y)
        if index == 4:  # the BatchNorm of the depthwise convolution
            y = unit(y) if placement == "conv" else y
    y = unit(y) if placement == "standard" else y
    out = torch.stack((shortcut, y), dim=2).flatten(1, 2)  # concatenated and shuffled
    whole: Tensor = unit(out) if placement == "post" else out
    return whole


def mobilenet_block(block: Any, unit: nn.Module, placement: str, x: Tensor) -> Tensor:
    expand, depthwise, project, norm = block.conv
    y = unit(x) if placement == "pre" else x
    y = depthwise[1](depthwise[0](expand(y)))
    y = unit(y) if placement == "conv" else y
    y = norm(project(depthwise[2](y)))
    y = unit(y) if placement == "standard" else y
    out = x + y if x.shape == y.shape else y
    whole: Tensor = unit(out) if placement == "post" else out
    return whole


def resnet_block(block: Any, unit: nn.Module, placement: str, x: Tensor) -> Tensor:
    y = unit(x) if placement == "pre" else x
    y = block.bn2(block.conv2(block.bn1(block.conv1(y)).relu()))
    y = unit(y) if placement == "conv" else y
    y = block.bn3(block.conv3(y.relu()))
    y = unit(y) if placement == "standard" else y
    shortcut = x if block.downsample is None else block.downsample(x)
    shortcut = unit(shortcut) if placement == "identity" else shortcut
    out = (y + shortcut).relu()
    whole: Tensor = unit(out) if placement == "post" else out
    return whole


BLOCKS: dict[str, Any] = {
    "shufflenet_v2": shufflenet_block,
    "mobilenet_v2": mobilenet_block,
    "resnext26": resnet_block,
}


@pytest.mark.integration
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    ("backbone", "placement"),
    [
        (backbone, placement)
        for backbone in BLOCKS
        for placement in (None, "conv", "standard", "pre", "post", "identity")
        if backbone == "resnext26" or placement != "identity"
    ],
)
def test_stands_where_it_says(
    backbone: str, placement: str | None, index: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    none = UnitSpec(kind="none")
    here = {"kind": "se", "placement": placement, "reduction": 4, "blocks": (index,)}
    spec = ArchSpec(backbone=backbone, num_classes=2, input_size=16, unit=none)
    plain = build(spec)
    for layer in plain.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.3)
    torch.save(plain.state_dict(), tmp_path / "plain.pt")
    with_unit = spec.model_copy(update={"unit": UnitSpec(kind="none", stages={3: here})})  # type: ignore[arg-type]
    model = build(with_unit, pretrained=tmp_path / "plain.pt").double().eval()
    units = [module for module in model.modules() if isinstance(module, SqueezeExcitation)]
    for weight in nn.ModuleList(units).parameters():
        nn.init.normal_(weight)
    *others, unit = units
    assert len(others) == ((backbone, placement, index) == ("shufflenet_v2", "conv", 0))

    module_paths = [
        paths for paths in spec.profile.module_paths if (paths.stage, paths.index) == (3, index)
    ]
    (path,) = {paths.block for paths in module_paths if paths.block is not None}
    block = plain.double().eval().get_submodule(path)
    read: list[Tensor] = []
    block.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].clone()))
    image = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        plain(image)
        wanted = BLOCKS[backbone](block, unit, placement or "standard", read[0], *others)
        # Everything behind the block is the plain network's.
        block.register_forward_hook(lambda *_: wanted)
        torch.testing.assert_close(model(image), plain(image), rtol=1e-12, atol=1e-12)
        assert not torch.equal(wanted, BLOCKS[backbone](block, nn.Identity(), "", read[0]))
