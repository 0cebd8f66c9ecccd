"""Branches of the training alone: exact at the start, and exactly merged at the end."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from blocks import ArchSpec, UnitSpec, build
from blocks.deploy import fuse
from blocks.deploy.reparametrised import (
    ReparametrisedConv,
    can_reparametrise,
    merge_branches,
    reparametrise,
)
from blocks.units.depthwise import BranchConv2d
from search_spaces import load_space

SPACES = ("shufflenet_v2_sk_stages", "mobilenet_v3_sk_stages", "efficientnet_lite0_sk_stages")


def branched(net: nn.Module) -> list[ReparametrisedConv]:
    return [one for one in net.modules() if isinstance(one, ReparametrisedConv)]


def shaken(net: nn.Module) -> nn.Module:
    """With BatchNorms that differ from their start in every figure."""
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            nn.init.normal_(norm.weight, 0.8, 0.2)
            nn.init.normal_(norm.bias, 0.0, 0.2)
            nn.init.normal_(norm.running_mean, 0.0, 0.2)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return net


def assert_close(found: Tensor, wanted: Tensor) -> None:
    assert float((found - wanted).abs().max()) <= 1e-5 * max(1.0, float(wanted.abs().max()))


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(SPACES), st.integers(0, 10_000))
def test_networks_chosen_by_stage_start_and_end_as_they_are(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    space = load_space(name).bind(num_classes=3, in_channels=3, input_size=16)
    spec = space.sample(random.Random(seed))
    net, images = build(spec).eval(), torch.randn(2, 3, 16, 16)
    names = list(net.state_dict())
    with torch.no_grad():
        plain = net(images)
        assert branched(reparametrise(net))
        assert torch.equal(net(images), plain)
        wanted = shaken(net)(images)
        merge_branches(net)
        assert not branched(net)
        assert sorted(net.state_dict()) == sorted(names)
        assert_close(net(images), wanted)
        assert_close(fuse(net)(images), wanted)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([3, 5, 7]), st.integers(1, 3), st.sampled_from([1, 2]), st.sampled_from([1, 2, 4]),
    st.sampled_from([nn.Conv2d, BranchConv2d]),
)  # fmt: skip
def test_every_shape_of_a_convolution(
    side: int, dilation: int, stride: int, groups: int, kind: type[nn.Conv2d]
) -> None:
    conv = kind(
        4, 4, side, stride, dilation * (side // 2), dilation=dilation, groups=groups, bias=False
    )
    norm = nn.BatchNorm2d(4)
    assert can_reparametrise(conv, norm)
    module = shaken(ReparametrisedConv(conv, norm)).double().eval()
    assert isinstance(module, ReparametrisedConv)
    assert (module.identity is None) == (stride == 2)
    assert len(module.smaller) == (1 if side == 3 else 2)
    images = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    wanted = module(images)
    assert torch.allclose(nn.Sequential(*module.merged()).eval()(images), wanted, atol=1e-10)


def test_further_branches_learn() -> None:
    torch.manual_seed(0)
    spec = ArchSpec(
        backbone="shufflenet_v2",
        input_size=32,
        num_classes=3,
        width=0.5,
        unit=UnitSpec(dilations=(1, 2)),
    )
    net = reparametrise(build(spec)).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(2):  # the first step moves the scales from zero, the second what they scale
        optimizer.zero_grad()
        net(torch.randn(4, 3, 32, 32)).square().mean().backward()
        optimizer.step()
    for one in branched(net):
        for branch in one.smaller:
            conv, norm = branch.children()
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.weight.abs().max() > 0
            assert conv.weight.grad is not None
            assert conv.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("conv", "norm"),
    [
        (nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)),
        (nn.Conv2d(4, 4, 3, padding=0, bias=False), nn.BatchNorm2d(4)),
        (nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect", bias=False), nn.BatchNorm2d(4)),
        (nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4, affine=False)),
    ],
)
def test_what_cannot_be_merged_exactly_gets_no_branches(conv: nn.Module, norm: nn.Module) -> None:
    assert not can_reparametrise(conv, norm)
