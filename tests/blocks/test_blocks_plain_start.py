from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from blocks import BACKBONES, ArchSpec, InvalidInput, SelectiveKernel, UnitSpec, build

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
        for backbone in BACKBONES
        for unit in (
            {"kernel": "real", "dilations": [1, 2]},
            {"kernel": "real", "dilations": [3, 2], "reduction": 2, "group_width": 2},
            {"kernel": "real", "dilations": [2]},
            {"kind": "se"},
            {"kind": "se", "reduction": 3},
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


def trained_plain(spec: ArchSpec, path: Path) -> nn.Module:
    """A plain network in which no BatchNorm is an identity, and its file of weights."""
    torch.manual_seed(5)
    model = build(spec)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            module.momentum = None  # the plain average over the batches below
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(8, 3, 32, 32))
    torch.save(model.state_dict(), path)
    return model


def with_unit(spec: ArchSpec, unit: dict[str, Any]) -> ArchSpec:
    return spec.model_copy(update={"unit": UnitSpec(**{"branch_act": False, **unit})})


@pytest.mark.parametrize(("backbone", "unit"), UNITS)
def test_computes_what_the_plain_network_computes(
    backbone: str, unit: dict[str, Any], tmp_path: Path
) -> None:
    spec = plain_spec(backbone)
    plain = trained_plain(spec, tmp_path / "plain.pt").eval()
    model = build(with_unit(spec, unit), start="plain", pretrained=tmp_path / "plain.pt").eval()
    image = torch.randn(4, 3, 32, 32)
    wanted = plain(image)
    assert wanted.std() > 0.01
    # Thirds and the order of sums round in float32; the exact comparison is the one in float64 below.
    rounding = 1e-6 if len(unit.get("dilations", [])) != 3 else 2e-5
    torch.testing.assert_close(model(image), wanted, rtol=1e-5, atol=rounding)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("backbone", "unit"), UNITS)
def test_computes_it_exactly_but_for_rounding(
    backbone: str, unit: dict[str, Any], tmp_path: Path
) -> None:
    spec = plain_spec(backbone)
    plain = trained_plain(spec, tmp_path / "plain.pt")
    model = build(with_unit(spec, unit), start="plain", pretrained=tmp_path / "plain.pt")
    image = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(model.eval()(image), plain.eval()(image), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["sk", "se"])
def test_needs_no_pretrained_weights(kind: str) -> None:
    spec = plain_spec("shufflenet_v2")
    torch.manual_seed(1)
    plain = build(spec)
    torch.manual_seed(1)
    model = build(with_unit(spec, {"kind": kind}), start="plain")
    image = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(model.eval()(image), plain.eval()(image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("unit", [{"dilations": [1, 2, 3]}, {"kernel": "real"}, {"kind": "se"}])
@pytest.mark.parametrize("backbone", SMALL_KERNELS)
def test_everything_learns_after_one_step(backbone: str, unit: dict[str, Any]) -> None:
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
    with pytest.raises(InvalidInput, match=reason):
        build(with_unit(plain_spec(backbone), unit), start="plain")


def test_a_plain_unit_starts_plain() -> None:
    build(plain_spec("mobilenet_v3_small"), start="plain")
