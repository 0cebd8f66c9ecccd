from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from blocks import BottleneckAttention, InvalidInput
from blocks.unit_spec import Fusion
from nas.cost import FvcoreCounter
from tests.blocks import feature_unit_checks as checks

FUSIONS: tuple[Fusion, ...] = ("sum", "product")


def convolved(conv: nn.Module, x: Tensor) -> Tensor:
    """A 3x3 convolution of dilation 4 (or a 1x1 one), tap by tap."""
    assert isinstance(conv, nn.Conv2d)
    height, width = x.shape[2:]
    side = conv.kernel_size[0]
    reach = 4 * (side // 2)
    padded = nn.functional.pad(x, (reach,) * 4)
    total = torch.zeros(())
    for row in range(side):
        for column in range(side):
            window = padded[:, :, 4 * row : 4 * row + height, 4 * column : 4 * column + width]
            weight = conv.weight[:, :, row, column]
            total = total + torch.einsum("oc,bchw->bohw", weight, window)
    return total if conv.bias is None else total + conv.bias[:, None, None]


def normed(norm: nn.Module, x: Tensor) -> Tensor:
    """BatchNorm in training: by the mean and the variance of the batch."""
    assert isinstance(norm, nn.BatchNorm2d)
    centred = x - x.mean((0, 2, 3), keepdim=True)
    variance = centred.square().mean((0, 2, 3), keepdim=True)
    unit = centred / torch.sqrt(variance + norm.eps)
    return unit * norm.weight[:, None, None] + norm.bias[:, None, None]


def branch(layers: list[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            x = convolved(layer, x)
        elif isinstance(layer, nn.BatchNorm2d):
            x = normed(layer, x)
        else:
            assert isinstance(layer, nn.ReLU)
            x = x.clamp(min=0)
    return x


@settings(max_examples=25)
@given(
    st.sampled_from(FUSIONS),
    st.integers(1, 10),
    st.integers(1, 4),
    st.integers(1, 10),
    st.integers(1, 10),
)
def test_equals_the_equations_with_gradients(
    fusion: Fusion, channels: int, reduction: int, height: int, width: int
) -> None:
    unit = BottleneckAttention(channels, reduction, fusion).double().train()
    checks.randomise(unit, channels * 10 + reduction)
    torch.manual_seed(height * 10 + width)
    x = torch.randn(3, channels, height, width, dtype=torch.float64, requires_grad=True)
    mean = x.sum((2, 3), keepdim=True) / (height * width)
    by_channel = branch(list(unit.channel), mean)  # (3)
    by_position = branch(list(unit.spatial), x)  # (4)
    both = by_channel + by_position if fusion == "sum" else by_channel * by_position
    wanted = x + x / (1 + torch.exp(-both))  # (1), (2)
    checks.same_with_gradients(unit, x, wanted)


LAYERS = {
    "sum": ("conv relu conv norm", "conv relu conv relu conv relu conv norm"),
    "product": ("conv norm relu conv", "conv norm relu conv norm relu conv norm relu conv"),
}


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_paper_normalises_at_the_end_and_the_released_code_inside(fusion: Fusion) -> None:
    unit = BottleneckAttention(32, 16, fusion)
    names = {nn.Conv2d: "conv", nn.BatchNorm2d: "norm", nn.ReLU: "relu"}
    for side, wanted in zip((unit.channel, unit.spatial), LAYERS[fusion], strict=True):
        assert " ".join(names[type(layer)] for layer in side) == wanted
        for before, layer in zip(side, list(side)[1:], strict=False):
            if isinstance(before, nn.Conv2d):
                assert (before.bias is None) == isinstance(layer, nn.BatchNorm2d)
    shapes = [tuple(c.weight.shape) for c in unit.spatial if isinstance(c, nn.Conv2d)]
    assert shapes == [(2, 32, 1, 1), (2, 2, 3, 3), (2, 2, 3, 3), (1, 2, 1, 1)]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_exports(fusion: Fusion) -> None:
    module = BottleneckAttention(6, 2, fusion)
    checks.randomise(module, 1)
    checks.exports(module, 6)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_cannot_train_on_one_image(fusion: Fusion) -> None:
    # As the docstring says: a BatchNorm of one number has nothing to normalise by.
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BottleneckAttention(8, 2, fusion).train()(torch.randn(1, 8, 4, 4))


@pytest.mark.parametrize(("reduction", "fusion"), [(3, None), (16, "sum"), (3, "product")])
def test_fvcore_agrees(
    reduction: int, fusion: str | None, reference_counter: FvcoreCounter
) -> None:
    unit = {"kind": "bam", "reduction": reduction, "fusion": fusion}
    checks.counts_agree(checks.spec_of("shufflenet_v2", unit), reference_counter)
    ends = {**unit, "blocks": [-1], "placement": "pre"}
    checks.counts_agree(checks.spec_of("resnext26", ends, input_size=17), reference_counter)


# At the end of stages 2 to 4. ResNeXt: as SKNet's Table 2 prints it. The same there for 101 layers,
# whose exact count is 44.54; ResNet-50 as Li et al. (SGE) counted it, with the biases before BatchNorms.
ENDS = {"kind": "bam", "blocks": [-1], "stages": {5: {"kind": "none"}}}


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize(
    ("backbone", "printed", "tolerance"),
    [("resnext50", 25.4, 0.05), ("resnext101", 44.6, 0.07), ("resnet50", 25.92, 0.006)],
)
def test_costs_what_was_printed(
    backbone: str, printed: float, tolerance: float, fusion: Fusion
) -> None:
    params, macs = checks.millions(backbone, {**ENDS, "fusion": fusion})
    assert params == pytest.approx(printed, abs=tolerance)
    if backbone == "resnext50":
        assert round(macs, 2) == 4.31


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("backbone", checks.BACKBONES)
def test_trains_a_step(backbone: str, fusion: Fusion) -> None:
    checks.trains_a_step(checks.spec_of(backbone, {"kind": "bam", "fusion": fusion}))


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("placement", ["standard", "conv"])
def test_starts_plain_and_learns(fusion: Fusion, placement: str, tmp_path: Path) -> None:
    unit: dict[str, Any] = {"kind": "bam", "fusion": fusion, "placement": placement}
    spec = checks.spec_of("shufflenet_v2", {**unit, "reduction": 2})
    checks.starts_plain(spec, tmp_path / "plain.pt")
    checks.learns_from_a_plain_start(spec)


@pytest.mark.parametrize("placement", [None, "pre"])
def test_has_no_plain_start_where_nothing_undoes_it(placement: str | None) -> None:
    unit = {"kind": "bam", "placement": placement}
    checks.refuses_a_plain_start(checks.spec_of("mobilenet_v2", unit))


def test_refused_fields() -> None:
    with pytest.raises(ValueError, match="unit in stage 2: fusion: add; bam allows sum, product"):
        checks.spec_of("shufflenet_v2", {"kind": "bam", "fusion": "add"})


def test_refused_arguments() -> None:
    with pytest.raises(InvalidInput, match=r"^channels: 0 is below 1$"):
        BottleneckAttention(0)
    with pytest.raises(InvalidInput, match=r"^fusion: scale; bam allows sum, product$"):
        BottleneckAttention(4, fusion="scale")


def test_labels_say_what_is_not_the_default() -> None:
    assert checks.spec_of("mobilenet_v2", {"kind": "bam", "fusion": "sum"}).label == "bam r16"
    unit = {"kind": "bam", "fusion": "product", "placement": "conv"}
    assert checks.spec_of("mobilenet_v2", unit).label == "bam r16 product conv"
