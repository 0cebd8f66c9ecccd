from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from blocks import ArchSpec, InvalidInput, SelectiveKernel, UnitSpec, build
from tests.blocks.arch_strategies import MOBILE

# Every backbone has 5x5 depthwise convolutions or not; those that have need a branch that holds one.
SMALL_KERNELS = ("shufflenet_v2", "mobilenet_v2")
UNITS: list[tuple[str, dict[str, Any]]] = [
    *(
        (backbone, unit)
        for backbone in SMALL_KERNELS
        for unit in (
            {"dilations": [1, 2]},
            {"dilations": [3, 1, 2], "reduction": 4, "min_dim": 8},
            {"dilations": [1], "group_width": 2},
            {"dilations": [1, 1, 1, 2], "group_width": 2},
        )
    ),
    *(
        (backbone, unit)
        for backbone in MOBILE
        for unit in (
            {"kernel": "plain", "dilations": [1, 2]},
            {"kernel": "plain", "dilations": [1], "group_width": 2},
            {"kernel": "real", "dilations": [1, 2]},
            {"kernel": "real", "dilations": [3, 2], "reduction": 2, "group_width": 2},
            {"kernel": "real", "dilations": [2]},
            {"kernel": "real", "dilations": [0, 2], "select": "reduced"},
            {"kernel": "real", "dilations": [0, 1, 2], "select": "sum", "groups": [1, 1, 2]},
            {"kind": "se"},
            {"kind": "se", "reduction": 3, "placement": "conv"},
        )
        if backbone != "efficientnet_lite0" or 0 not in unit.get("dilations", [])  # type: ignore[operator]
    ),
    *(
        ("resnext26", unit)
        for unit in (
            {"groups": [32]},
            {"groups": [32], "select": "reduced"},
            {"groups": [16, 32], "select": "sum"},
            {"kernel": "real", "dilations": [0, 2], "groups": [128, 8]},
            {"dilations": [1, 1], "groups": [8, 64]},
            {"dilations": [1], "groups": [16]},
            {"kind": "se"},
            {"kind": "se", "placement": "conv", "pool": "max"},
            {"kind": "se", "pool": "none", "blocks": [0]},
        )
    ),
]


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def plain_spec(backbone: str) -> ArchSpec:
    return ArchSpec(backbone=backbone, num_classes=9, input_size=32, unit=UnitSpec(kind="none"))


@cache
def trained_plain(backbone: str, dtype: torch.dtype) -> tuple[nn.Module, Tensor, Tensor]:
    """A plain network in which no BatchNorm is an identity, images, and what it computes of them."""
    assert torch.get_default_dtype() == dtype
    torch.manual_seed(5)
    model = build(plain_spec(backbone))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            module.momentum = None  # the plain average over the batches below
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(8, 3, 32, 32))
        image = torch.randn(4, 3, 32, 32)
        wanted = model.eval()(image)
    assert wanted.std() > 0.01
    return model, image, wanted


def with_unit(spec: ArchSpec, unit: dict[str, Any]) -> ArchSpec:
    return spec.model_copy(update={"unit": UnitSpec(**{"branch_act": False, **unit})})


def with_plain_start(
    backbone: str, unit: dict[str, Any], path: Path
) -> tuple[nn.Module, Tensor, Tensor]:
    """The network with units, images, and what the plain network computes of them."""
    plain, image, wanted = trained_plain(backbone, torch.get_default_dtype())
    torch.save(plain.state_dict(), path)
    spec = with_unit(plain_spec(backbone), unit)
    return build(spec, start="plain", pretrained=path).eval(), image, wanted


# Some in float32, as everybody uses it; the exact comparison is the one in float64 below.
@torch.no_grad()
@pytest.mark.parametrize(("backbone", "unit"), UNITS[::4])
def test_computes_what_the_plain_network_computes(
    backbone: str, unit: dict[str, Any], tmp_path: Path
) -> None:
    model, image, wanted = with_plain_start(backbone, unit, tmp_path / "plain.pt")
    # Sums of 60 layers in another order, and by another algorithm (Winograd's) on another processor.
    rounding = 1e-3 * float(wanted.std())
    torch.testing.assert_close(model(image), wanted, rtol=0, atol=rounding)


@pytest.mark.integration
@torch.no_grad()
@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("backbone", "unit"), UNITS)
def test_computes_it_exactly_but_for_rounding(
    backbone: str, unit: dict[str, Any], tmp_path: Path
) -> None:
    model, image, wanted = with_plain_start(backbone, unit, tmp_path / "plain.pt")
    torch.testing.assert_close(model(image), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["sk", "se"])
def test_needs_no_pretrained_weights(kind: str) -> None:
    spec = plain_spec("shufflenet_v2")
    torch.manual_seed(1)
    plain = build(spec)
    torch.manual_seed(1)
    model = build(with_unit(spec, {"kind": kind}), start="plain")
    image = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(model.eval()(image), plain.eval()(image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "unit",
    # With few hidden units all ReLUs of an SE unit may be shut from the start, by chance.
    [{"dilations": [1, 2, 3]}, {"kernel": "real", "select": "sum"}, {"kind": "se", "reduction": 2}],
)
@pytest.mark.parametrize("backbone", SMALL_KERNELS)
def test_everything_learns_after_one_step(backbone: str, unit: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = build(with_unit(plain_spec(backbone), unit), start="plain").train()
    plain_weights = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    image, label = torch.randn(16, 3, 32, 32), torch.arange(16) % 9
    for _ in range(2):
        optimizer.zero_grad()
        functional.cross_entropy(model(image), label).backward()
        optimizer.step()
    dead = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert not dead
    assert any(not torch.equal(model.state_dict()[n], v) for n, v in plain_weights.items())


def test_the_plain_branch_of_a_unit_is_one_kernel() -> None:
    unit = {"kernel": "real", "dilations": [1, 2, 3]}
    model = build(with_unit(plain_spec("mobilenet_v3_small"), unit), start="plain")
    for module in model.modules():
        if isinstance(module, SelectiveKernel):
            scales = [branch[1].weight.abs().sum() > 0 for branch in module.branches]  # type: ignore[index]
            assert sum(scales) == 1


@pytest.mark.parametrize(
    ("backbone", "unit", "reason"),
    [
        *(
            (
                backbone,
                {"kind": "se", "placement": placement},
                f"stage . .* placement {placement}; ",
            )
            for backbone in ("shufflenet_v2", "mobilenet_v2", "resnext26")
            for placement in ("pre", "post")
        ),
        (
            "resnext26",
            {"kind": "se", "placement": "identity"},
            "at placement identity; allowed: conv",
        ),
        ("resnext26", {}, "stage 2 .3x3 grouped, 128 channels.* in groups of 4 channels or more"),
        ("resnet26", {"groups": [2]}, "stage 2 .3x3 dense, 64 channels.* in groups of 64 channels"),
        ("shufflenet_v2", {"branch_act": True}, "stage 2 .* ReLU"),
        ("shufflenet_v2", {"dilations": [2, 3]}, "stage 2 .* no branch holds an undilated 3x3"),
        (
            "mobilenet_v3_small",
            {"dilations": [1, 2]},
            "stage 4 .* no branch holds an undilated 5x5",
        ),
        ("mobilenet_v3_large", {"kernel": "real", "dilations": [1]}, "stage 3 .* undilated 5x5"),
    ],
)
def test_refuses_what_it_cannot_compute(backbone: str, unit: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        build(with_unit(plain_spec(backbone), unit), start="plain")
    assert "\n" not in str(caught.value)


def test_a_plain_unit_starts_plain() -> None:
    build(plain_spec("mobilenet_v3_small"), start="plain")
