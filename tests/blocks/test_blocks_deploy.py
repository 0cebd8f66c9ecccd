"""Rewritten networks compute what the networks compute."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models.shufflenetv2 import InvertedResidual

from blocks import ArchSpec, InvalidInput, SelectiveKernel, UnitSpec, build
from blocks.deploy import Form, FusedSelectiveKernel, MergedSelectiveKernel, fuse
from blocks.deploy.padding import padded_width
from blocks.deploy.shuffle_net import SHUFFLES
from blocks.deploy.summed import one_convolution

FORMS = get_args(Form)


def scramble(model: nn.Module) -> nn.Module:
    """Weights and statistics far from every start that would hide a mistake."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            if module.running_mean is None or module.running_var is None:
                continue
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
        if isinstance(module, SelectiveKernel) and module.attends:
            nn.init.normal_(module.select.weight)
    return model.double().eval()


def relative(got: Tensor, wanted: Tensor) -> float:
    return float((got - wanted).abs().max() / wanted.abs().max())


@st.composite
def units(draw: st.DrawFn) -> tuple[SelectiveKernel, Tensor]:
    channels = draw(st.sampled_from([2, 4, 6, 10]))
    kernel = draw(st.sampled_from(["dilated", "real"]))
    lowest = 0 if kernel == "real" else 1
    unit = SelectiveKernel(
        channels,
        draw(st.lists(st.integers(lowest, 3), min_size=1, max_size=4)),
        kernel=kernel,  # type: ignore[arg-type]
        group_width=draw(st.sampled_from([1, 2])),
        min_dim=3,
        branch_act=draw(st.booleans()),
        stride=draw(st.sampled_from([1, 2, 3])),
        select=draw(st.sampled_from(["full", "reduced", "sum"])),
    )
    torch.manual_seed(draw(st.integers(0, 1000)))
    height, width = draw(st.integers(3, 9)), draw(st.integers(3, 9))
    x = torch.randn(3, channels, height, width, dtype=torch.float64)
    scramble(unit)
    return unit, x


@settings(max_examples=60, deadline=None)
@given(units(), st.sampled_from(FORMS), st.booleans())
def test_a_unit_in_every_form(
    case: tuple[SelectiveKernel, Tensor], form: Form, merge: bool
) -> None:
    unit, x = case
    deployed = fuse(unit, form, merge=merge)
    torch.testing.assert_close(deployed(x), unit(x), rtol=1e-10, atol=1e-10)


def attends_without_relus(case: tuple[SelectiveKernel, Tensor]) -> bool:
    branch = case[0].branches[0]
    assert isinstance(branch, nn.Sequential)
    return len(branch) == 2 and case[0].attends


@settings(max_examples=60, deadline=None)
@given(units().filter(attends_without_relus))
def test_merged_units_squeeze_and_select_without_the_branches(
    case: tuple[SelectiveKernel, Tensor],
) -> None:
    unit, x = case
    fused = FusedSelectiveKernel(unit)
    depthwise = all(conv.groups == conv.in_channels for conv in fused.convolutions)
    assert MergedSelectiveKernel.can_merge(fused) == depthwise
    if not depthwise:
        return
    merged = MergedSelectiveKernel(fused)
    for branch in fused.branches:
        branch[0].forward = None  # type: ignore[index]
    torch.testing.assert_close(merged(x), unit(x), rtol=1e-10, atol=1e-10)


def sums_linear_branches(case: tuple[SelectiveKernel, Tensor]) -> bool:
    branch = case[0].branches[0]
    assert isinstance(branch, nn.Sequential)
    return len(branch) == 2 and not case[0].attends and len(case[0].branches) > 1


@settings(max_examples=60, deadline=None)
@given(units().filter(sums_linear_branches), st.sampled_from([0, 5, 99]))
def test_summed_branches_are_one_convolution_where_that_is_allowed(
    case: tuple[SelectiveKernel, Tensor], largest: int
) -> None:
    unit, x = case
    fused = FusedSelectiveKernel(unit)
    weights = sum(conv.kernel_size[0] ** 2 for conv in fused.convolutions)
    side = max((conv.kernel_size[0] - 1) * conv.dilation[0] + 1 for conv in fused.convolutions)
    merged = one_convolution(fused, largest)
    assert (merged is not None) == (side**2 <= weights or side <= largest)
    if merged is not None:
        assert merged.kernel_size == (side, side)
        torch.testing.assert_close(merged(x), unit(x), rtol=1e-10, atol=1e-10)


def test_branches_with_a_relu_or_attention_are_not_one_convolution() -> None:
    for options in ({"select": "sum"}, {"branch_act": False}):
        fused = FusedSelectiveKernel(SelectiveKernel(4, (1, 1), **options))
        assert one_convolution(fused, 99) is None


def test_units_with_a_relu_in_the_branches_are_not_merged() -> None:
    assert isinstance(fuse(SelectiveKernel(4), merge=True), FusedSelectiveKernel)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("backbone", "width", "form"),
    [*(("shufflenet_v2", 1.0, form) for form in FORMS), ("shufflenet_v2", 0.5, "ncnn"),
     ("mobilenet_v2", 0.35, "graph"), ("mobilenet_v3_small", 1.0, "ncnn"),
     ("efficientnet_lite0", 0.35, "graph"), ("efficientnet_lite0", 0.35, "ncnn"),
     ("resnet26", 1.0, "graph")],
)  # fmt: skip
@pytest.mark.parametrize(
    "unit",
    [{"kind": "none"}, {"kind": "se"}, {}, {"dilations": (1, 2, 3), "branch_act": False},
     {"select": "reduced"}, {"dilations": (2,)}, {"kind": "gc"}, {"kind": "bam"}, {"kind": "nl"}],
    ids=lambda unit: " ".join(map(str, unit.values())) or "sk",
)  # fmt: skip
def test_whole_networks_in_every_form(
    backbone: str, width: float, unit: dict[str, Any], form: Form
) -> None:
    spec = ArchSpec(
        backbone=backbone,
        width=width,
        num_classes=10,
        in_channels=3,
        input_size=32,
        unit=UnitSpec.model_validate(unit),
    )
    torch.manual_seed(0)
    model = scramble(build(spec))
    before = copy.deepcopy(model.state_dict())
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    deployed = fuse(model, form)
    with torch.inference_mode():
        assert relative(deployed(x), model(x)) < 1e-9
    assert not any(isinstance(module, nn.BatchNorm2d) for module in deployed.modules())
    assert not any(value.requires_grad for value in deployed.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_rewritten_network_can_be_rewritten_again() -> None:
    spec = ArchSpec(
        backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=3, input_size=32
    )
    torch.manual_seed(0)
    model = scramble(build(spec))
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.inference_mode():
        assert relative(fuse(fuse(model))(x), model(x)) < 1e-9


def test_another_activation_in_the_branches_is_kept_in_training_and_deployed() -> None:
    torch.manual_seed(0)
    unit = SelectiveKernel(6).double()
    for branch in unit.branches:
        assert isinstance(branch, nn.Sequential)
        branch[2] = nn.GELU()
    x = torch.randn(4, 6, 5, 5, dtype=torch.float64)
    maps = torch.stack([branch(x) for branch in unit.branches], dim=1)
    logits = unit.select(unit.fuse(maps.sum(1).mean((2, 3), keepdim=True)))
    wanted = (maps * logits.view(4, 2, 6, 1, 1).softmax(1)).sum(1)
    torch.testing.assert_close(unit(x), wanted)
    scramble(unit)
    torch.testing.assert_close(fuse(unit)(x), unit(x))


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match="form: 'onnx'; allowed: pytorch, graph, channels_last, ncnn"
    ):
        fuse(SelectiveKernel(4), "onnx")  # type: ignore[arg-type]


def test_float32_networks_agree_to_1e_5() -> None:
    spec = ArchSpec(
        backbone="shufflenet_v2", width=1.0, num_classes=10, in_channels=3, input_size=64
    )
    torch.manual_seed(0)
    model = scramble(build(spec)).float()
    x = torch.randn(4, 3, 64, 64)
    with torch.inference_mode():
        for form in FORMS:
            assert relative(fuse(model, form)(x), model(x)) < 1e-5


def test_a_batch_norm_whose_input_others_read_stays() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            out: Tensor = y + self.norm(y)
            return out

    model = scramble(Both())
    deployed = fuse(model)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    assert isinstance(deployed.norm, nn.BatchNorm2d)
    torch.testing.assert_close(deployed(x), model(x))


@given(st.integers(1, 3), st.integers(1, 8), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_every_shuffle_interleaves_the_halves(batch: int, half: int, h: int, w: int) -> None:
    x = torch.randn(batch, 2 * half, h, w)
    for shuffle in SHUFFLES.values():
        shuffled = shuffle(x)
        assert torch.equal(shuffled[:, ::2], x[:, :half])
        assert torch.equal(shuffled[:, 1::2], x[:, half:])


@pytest.mark.parametrize(
    ("channels", "padded"),
    [(58, 64), (116, 128), (232, 240), (24, 24), (48, 48), (7, 8), (122, 128)],
)
def test_widths_of_fast_kernels(channels: int, padded: int) -> None:
    assert padded_width(channels) == padded


def test_shuffle_net_is_padded_between_its_pointwise_convolutions_only() -> None:
    spec = ArchSpec(
        backbone="shufflenet_v2", width=1.0, num_classes=10, in_channels=3, input_size=64
    )
    deployed = fuse(build(spec), "graph")
    first = deployed.get_submodule("stage2.1.branch2")
    widths = [c.out_channels for c in first.modules() if isinstance(c, nn.Conv2d)]
    assert widths == [64, 64, 64, 32, 64, 58]


class Twice(nn.Module):
    """A unit with two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = SelectiveKernel(8)
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return y


def test_a_unit_with_two_names_is_rewritten_under_both() -> None:
    fused = fuse(Twice())
    assert isinstance(fused.first, FusedSelectiveKernel)
    assert fused.second is fused.first


class ReadsWeights(nn.Module):
    """Reads the weights of its convolution beside running it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x)) * self.conv.weight.sum()
        return y


class Unnormalised(nn.Module):
    """Has a BatchNorm without running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x))
        return y


@pytest.mark.parametrize("kind", [ReadsWeights, Unnormalised])
def test_what_cannot_be_folded_stays(kind: type[nn.Module]) -> None:
    model = scramble(kind())
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    fused = fuse(model)
    torch.testing.assert_close(fused(x), model(x))
    assert isinstance(fused.norm, nn.BatchNorm2d)


def test_padding_and_kind_of_batch_norm_survive() -> None:
    unit = SelectiveKernel(8)
    for branch in unit.branches:
        branch[0].padding_mode = "reflect"  # type: ignore[index]
        branch[0]._reversed_padding_repeated_twice = [branch[0].padding[0]] * 4  # type: ignore[index]
    unit = nn.SyncBatchNorm.convert_sync_batchnorm(scramble(unit))
    x = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    for merge in (False, True):
        torch.testing.assert_close(fuse(unit, merge=merge)(x), unit(x))


class Branching(nn.Module):
    """Takes its path from what it computes."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_what_cannot_be_rewritten_is_said() -> None:
    with pytest.raises(InvalidInput, match="cannot be traced"):
        fuse(Branching())
    unit = SelectiveKernel(8)
    unit.fuse[1] = nn.GroupNorm(1, 32)
    with pytest.raises(InvalidInput, match="GroupNorm behind Conv2d"):
        fuse(unit)


class Taps(nn.Module):
    """Runs a sequence layer by layer and returns what it had on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        taps = []
        for index, layer in enumerate(self.body):
            x = layer(x)
            if index in (2, 4):
                taps.append(x)
        return torch.cat(taps, 1)


class TwoNames(nn.Module):
    """Conv and BatchNorm each have a second name, by which they are called."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        self.body = nn.Sequential(self.conv, self.norm)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y


class Keyword(nn.Module):
    """Calls its layers by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(input=self.conv(input=x))
        return y


def hooked() -> nn.Module:
    """A BatchNorm whose output a hook doubles."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    model[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    return model


def normed() -> nn.Module:
    """A convolution whose weight is computed from others."""
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 1))
    return nn.Sequential(conv, nn.BatchNorm2d(4))


class Halved(InvertedResidual):  # type: ignore[misc]
    """torchvision's block with another forward pass."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = 0.5 * super().forward(x)
        return y


def halved() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 1), Halved(8, 8, 1))


def reflecting() -> nn.Module:
    """Depthwise convolutions with another padding than zeros, of a width that would be padded."""
    block = InvertedResidual(116, 116, 1)
    block.branch2[3] = nn.Conv2d(58, 58, 3, padding=1, groups=58, padding_mode="reflect")
    return nn.Sequential(nn.Conv2d(3, 116, 1), block)


@pytest.mark.parametrize("make", [Taps, TwoNames, Keyword, hooked, normed, halved, reflecting])
@pytest.mark.parametrize("form", FORMS)
def test_unusual_models_compute_the_same(make: Callable[[], nn.Module], form: Form) -> None:
    model = scramble(make())
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    assert relative(fuse(model, form)(x), model(x)) < 1e-10


def other_activation(unit: SelectiveKernel) -> None:
    unit.fuse[2] = nn.Hardswish()


def biased(unit: SelectiveKernel) -> None:
    unit.select = nn.Conv2d(32, 16, 1)


def watched(unit: SelectiveKernel) -> None:
    unit.select.register_forward_hook(lambda module, inputs, output: 2 * output)


class OwnNorm(nn.BatchNorm2d):
    """A BatchNorm with its activation."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).relu()


def own_norm(unit: SelectiveKernel) -> None:
    unit.branches[0][1] = OwnNorm(8)  # type: ignore[operator]


@pytest.mark.parametrize("change", [other_activation, biased, watched, own_norm])
def test_a_unit_that_was_changed_is_refused(change: Callable[[SelectiveKernel], None]) -> None:
    unit = SelectiveKernel(8)
    change(unit)
    with pytest.raises(InvalidInput, match="allowed"):
        fuse(unit)


def test_fusing_a_unit_leaves_it_in_training() -> None:
    unit = SelectiveKernel(8)
    FusedSelectiveKernel(unit)
    assert all(module.training for module in unit.modules())
