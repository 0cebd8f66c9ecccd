from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers.cbam import CbamModule
from torch import Tensor

from blocks import ConvBlockAttention, InvalidInput
from nas.cost import FvcoreCounter
from tests.blocks import feature_unit_checks as checks


def transcribed(unit: ConvBlockAttention, x: Tensor) -> Tensor:
    def mlp(s: Tensor) -> Tensor:
        hidden = checks.matrix(unit.squeeze) @ s + checks.bias(unit.squeeze)
        return checks.matrix(unit.excite) @ hidden.clamp(min=0) + checks.bias(unit.excite)

    batch, channels, height, width = x.shape
    flat = x.flatten(2)
    mean, largest = flat.sum(2, keepdim=True) / flat.shape[2], flat.amax(2, keepdim=True)
    by_channel = 1 / (1 + torch.exp(-(mlp(mean) + mlp(largest))))  # (2)
    scaled = x * by_channel[..., None]  # (1), first half

    summary = torch.stack((scaled.sum(1) / channels, scaled.amax(1)), dim=1)
    padded = summary.new_zeros(batch, 2, height + 6, width + 6)
    padded[:, :, 3:-3, 3:-3] = summary
    total = scaled.new_zeros(batch, height, width)
    for row in range(7):
        for column in range(7):
            window = padded[:, :, row : row + height, column : column + width]
            taps = unit.spatial.weight[0, :, row, column]
            total = total + (window * taps[:, None, None]).sum(1)
    by_position = 1 / (1 + torch.exp(-total))  # (3)
    return scaled * by_position[:, None]  # (1), second half


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9))
def test_equals_the_equations_with_gradients(
    channels: int, reduction: int, height: int, width: int
) -> None:
    unit = ConvBlockAttention(channels, reduction).double()
    checks.randomise(unit, channels * 10 + reduction)
    assert checks.matrix(unit.squeeze).shape == (max(channels // reduction, 1), channels)
    torch.manual_seed(height * 10 + width)
    x = torch.randn(2, channels, height, width, dtype=torch.float64, requires_grad=True)
    checks.same_with_gradients(unit, x, transcribed(unit, x))


def test_equals_timm_without_its_norm() -> None:
    ours = ConvBlockAttention(24, 4).double()
    theirs = CbamModule(24, rd_channels=6, mlp_bias=True).double().eval()
    checks.randomise(ours, 4)
    theirs.channel.fc1.load_state_dict(ours.squeeze.state_dict())
    theirs.channel.fc2.load_state_dict(ours.excite.state_dict())
    theirs.spatial.conv.conv.load_state_dict(ours.spatial.state_dict())
    # The BatchNorm of the released code, made an identity.
    norm = theirs.spatial.conv.bn
    torch.nn.init.constant_(norm.weight, (1 + norm.eps) ** 0.5)
    x = torch.randn(3, 24, 5, 9, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-6)


def test_exports() -> None:
    module = ConvBlockAttention(6, 2)
    checks.randomise(module, 1)
    checks.exports(module, 6)


def test_trains_on_one_image() -> None:
    unit = ConvBlockAttention(8, 2).train()
    unit(torch.randn(1, 8, 1, 1)).sum().backward()
    assert all(parameter.grad is not None for parameter in unit.parameters())


@pytest.mark.parametrize("placement", [None, "conv", "pre", "post", "identity"])
@pytest.mark.parametrize("reduction", [3, 16])
def test_fvcore_agrees(
    placement: str | None, reduction: int, reference_counter: FvcoreCounter
) -> None:
    unit = {"kind": "cbam", "reduction": reduction, "placement": placement}
    checks.counts_agree(checks.spec_of("resnext26", unit), reference_counter)
    if placement != "identity":
        checks.counts_agree(checks.spec_of("shufflenet_v2", unit, input_size=17), reference_counter)


@pytest.mark.parametrize(("backbone", "printed"), [("resnet50", 28.09), ("resnext50", 27.56)])
def test_costs_what_the_paper_prints(backbone: str, printed: float) -> None:
    params, macs = checks.millions(backbone, {"kind": "cbam"})
    assert round(params, 2) == printed
    # Tables 2 and 4: 3.858 and 3.768 become 3.864 and 3.774.
    assert round(macs - checks.millions(backbone, {"kind": "none"})[1], 3) == 0.006


@pytest.mark.parametrize("backbone", checks.BACKBONES)
def test_trains_a_step(backbone: str) -> None:
    checks.trains_a_step(checks.spec_of(backbone, {"kind": "cbam"}))


UNITS: list[tuple[str, dict[str, Any]]] = [
    (backbone, {"kind": "cbam", "reduction": 4, "placement": placement})
    for backbone in checks.BACKBONES
    for placement in (None, "conv")
]


@pytest.mark.parametrize(("backbone", "unit"), UNITS)
def test_starts_plain(backbone: str, unit: dict[str, Any], tmp_path: Path) -> None:
    checks.starts_plain(checks.spec_of(backbone, unit), tmp_path / "plain.pt")


def test_learns_from_a_plain_start() -> None:
    checks.learns_from_a_plain_start(
        checks.spec_of("shufflenet_v2", {"kind": "cbam", "reduction": 2})
    )


@pytest.mark.parametrize("placement", ["pre", "post"])
def test_has_no_plain_start_where_nothing_undoes_the_gates(placement: str) -> None:
    unit = {"kind": "cbam", "placement": placement}
    checks.refuses_a_plain_start(checks.spec_of("mobilenet_v2", unit))


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"^channels: 0 is below 1$"):
        ConvBlockAttention(0)
    with pytest.raises(InvalidInput, match=r"^reduction: 0 is below 1$"):
        ConvBlockAttention(4, 0)


def test_labels_say_what_is_not_the_default() -> None:
    assert checks.spec_of("mobilenet_v2", {"kind": "cbam"}).label == "cbam r16"
    unit = {"kind": "cbam", "reduction": 8, "placement": "pre"}
    assert checks.spec_of("mobilenet_v2", unit).label == "cbam r8 pre"
