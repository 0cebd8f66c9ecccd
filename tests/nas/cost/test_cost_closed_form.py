from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision import models

from blocks import ArchSpec, SelectiveKernel, UnitSpec, build
from nas.cost import COSTS, Counts, count

NONE = UnitSpec(kind="none")

# Parameters as torchvision prints them, and the exact millions of multiply-adds of convolutions and
# linear layers where they are known from elsewhere.
GOLDEN = [
    ("shufflenet_v2", 0.5, models.ShuffleNet_V2_X0_5_Weights.DEFAULT, 1_366_792, 40.476),
    ("shufflenet_v2", 1.0, models.ShuffleNet_V2_X1_0_Weights.DEFAULT, 2_278_604, 144.908),
    ("shufflenet_v2", 1.5, models.ShuffleNet_V2_X1_5_Weights.DEFAULT, 3_503_624, None),
    ("shufflenet_v2", 2.0, models.ShuffleNet_V2_X2_0_Weights.DEFAULT, 7_393_996, None),
    ("mobilenet_v2", 1.0, models.MobileNet_V2_Weights.DEFAULT, 3_504_872, 300.774),
    ("mobilenet_v3_large", 1.0, models.MobileNet_V3_Large_Weights.DEFAULT, 5_483_032, 216.590),
    ("mobilenet_v3_small", 1.0, models.MobileNet_V3_Small_Weights.DEFAULT, 2_542_856, 56.510),
]


@pytest.mark.parametrize(("backbone", "width", "published", "params", "mflops"), GOLDEN)
def test_plain_networks_cost_what_torchvision_says(
    backbone: str,
    width: float,
    published: models.WeightsEnum,
    params: int,
    mflops: float | None,
) -> None:
    counts = count(ArchSpec(backbone=backbone, width=width, unit=NONE))
    assert counts.params == params == published.meta["num_params"]
    assert counts.mflops / 1e3 == pytest.approx(published.meta["_ops"], abs=5e-4)
    if mflops is not None:
        assert round(counts.mflops, 3) == mflops


# What two branches (dilations 1 and 2) in place of every depthwise convolution add to the standard
# ShuffleNetV2, counted independently for the review of SKNet's Table 4: millions of parameters and of
# multiply-adds.
SK_DELTAS = [
    (0.5, 16, 32, 0.112, 1.920),
    (1.0, 16, 32, 0.264, 4.396),
    (0.5, 4, 32, 0.112, 1.920),
    (1.0, 4, 32, 0.355, 4.486),
    (0.5, 8, 16, 0.061, 1.870),
    (1.0, 8, 16, 0.191, 4.323),
]


@pytest.mark.parametrize(("width", "reduction", "min_dim", "params", "mflops"), SK_DELTAS)
def test_selective_kernels_add_what_was_counted_before(
    width: float, reduction: int, min_dim: int, params: float, mflops: float
) -> None:
    plain = ArchSpec(backbone="shufflenet_v2", width=width, unit=NONE)
    unit = UnitSpec(dilations=(1, 2), reduction=reduction, min_dim=min_dim)
    added = count(plain.model_copy(update={"unit": unit})) - count(plain)
    assert round(added.params / 1e6, 3) == params
    assert round(added.mflops, 3) == mflops


SK: dict[str, Any] = {"groups": (32,)}

# Counted independently for the review of SKNet's tables: parameters, and thousands of millions of
# multiply-adds of convolutions and linear layers at 224 pixels.
EXACT = [
    ("resnext50", {"kind": "none"}, 25_028_904, 4.2305),
    ("resnext50", {"kind": "se"}, 27_543_848, 4.2330),
    ("resnext50", SK, 27_479_784, 4.4627),
    ("resnext26", SK, 16_746_408, 2.587),
    ("resnext101", SK, 48_736_040, None),
    ("resnet50", {"kind": "none"}, 25_557_032, None),
    ("resnet101", {"kind": "none"}, 44_549_160, None),
]


@pytest.mark.parametrize(("backbone", "unit", "params", "gflops"), EXACT)
def test_large_networks_cost_what_was_counted_before(
    backbone: str, unit: dict[str, Any], params: int, gflops: float | None
) -> None:
    counts = count(ArchSpec(backbone=backbone, unit=UnitSpec(**unit)))
    assert counts.params == params
    if gflops is not None:
        assert counts.mflops / 1e3 == pytest.approx(gflops, abs=5e-4 if gflops < 3 else 5e-5)


# SKNet's Tables 6 and 7 on ResNeXt-50: millions of parameters, thousands of millions of multiply-adds.
ROUNDED = [
    ("resnext50", {**SK, "dilations": (1, 3)}, 27.48, 4.463),
    ("resnext50", {**SK, "dilations": (1, 1)}, 27.48, 4.463),
    ("resnext50", {"dilations": (1, 2), "kernel": "real", "groups": (32, 64)}, 28.03, 4.553),
    ("resnext50", {"dilations": (1, 3), "kernel": "real", "groups": (32, 128)}, 27.99, 4.546),
    ("resnext50", {**SK, "dilations": (2,)}, 25.03, 4.231),
    ("resnext50", {**SK, "select": "sum"}, 26.46, 4.462),
    ("resnext50", {**SK, "select": "sum", "dilations": (1, 2, 3)}, 27.89, 4.693),
    ("resnext50", {**SK, "dilations": (1, 2, 3)}, 29.25, 4.694),
]


@pytest.mark.parametrize(("backbone", "unit", "params", "gflops"), ROUNDED)
def test_rows_of_sknets_tables(
    backbone: str, unit: dict[str, Any], params: float, gflops: float
) -> None:
    counts = count(ArchSpec(backbone=backbone, unit=UnitSpec(**unit)))
    assert round(counts.params / 1e6, 2) == params
    assert counts.mflops / 1e3 == pytest.approx(gflops, abs=6e-4)


PRINTED = [
    ("resnext56", 27.3, 4.67),
    ("resnext50_36x4d", 27.6, 4.70),
    ("resnext50_wider", 28.1, 4.74),
    ("resnext101", 44.3, 7.99),
]


@pytest.mark.parametrize(("backbone", "params", "gflops"), PRINTED)
def test_larger_backbones_cost_what_the_paper_prints(
    backbone: str, params: float, gflops: float
) -> None:
    counts = count(ArchSpec(backbone=backbone, unit=NONE))
    assert counts.params / 1e6 == pytest.approx(params, abs=0.13)
    # The paper seems to count some element-wise work as well.
    assert counts.mflops / 1e3 == pytest.approx(gflops, rel=0.003)


SK_CIFAR = {"dilations": (0, 1), "kernel": "real", "groups": (16,), "reduction": 32, "min_dim": 1}
CIFAR = [
    ("resnext29_16x32d", {"kind": "none"}, 10, 25_136_970),
    ("resnext29_16x32d", {"kind": "none"}, 100, 25_229_220),
    ("resnext29_8x64d", {"kind": "none"}, 10, 34_426_698),
    ("resnext29_8x64d", {"kind": "none"}, 100, 34_518_948),
    ("resnext29_16x64d", {"kind": "none"}, 10, 68.16),  # printed as 68.1
    ("resnext29_16x32d", {**SK_CIFAR, "dilations": (1, 1), "min_dim": 32}, 10, 36.1),
    ("resnext29_16x32d", SK_CIFAR, 10, 27.74),
    ("resnext29_16x32d", {**SK_CIFAR, "min_dim": 32}, 10, 27.81),
    ("resnext29_16x32d", {"kind": "se"}, 10, 25.65),
    ("resnext29_8x64d", {"kind": "se"}, 10, 34.94),
    ("resnext29_8x64d", {"kind": "se"}, 100, 35.04),
]


@pytest.mark.parametrize(("backbone", "unit", "classes", "params"), CIFAR)
def test_networks_for_cifar_have_the_parameters_of_table_5(
    backbone: str, unit: dict[str, Any], classes: int, params: float
) -> None:
    spec = ArchSpec(
        backbone=backbone,
        num_classes=classes,
        input_size=32,
        stem_stride=1,
        unit=UnitSpec(**unit),
    )
    got = count(spec).params
    assert params in (got, round(got / 1e6, 1), round(got / 1e6, 2))


def test_units_in_some_blocks_cost_their_share() -> None:
    plain = ArchSpec(backbone="resnext50", unit=NONE)

    def added(**fields: Any) -> Counts:
        return count(plain.model_copy(update={"unit": UnitSpec(**SK, **fields)})) - count(plain)

    first, last, both = added(blocks=(0,)), added(blocks=(-1, 2)), added(blocks=(0, 2, -1))
    assert both == first + last
    assert added(blocks=(0, 1, 2), stages={3: {"blocks": ()}, 4: {"blocks": ()}}) == added()


def test_equals_the_sum_over_the_layers_that_run() -> None:
    spec = ArchSpec(backbone="shufflenet_v2", width=0.5, input_size=32, num_classes=10)
    model = build(spec).eval()
    seen = {"macs": 0, "activations": 0}

    def hook(module: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        weight = module.get_parameter("weight")
        seen["activations"] += output.numel()
        seen["macs"] += weight[0].numel() * output.numel()

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(hook)
    model(torch.zeros(1, 3, 32, 32))
    params = sum(parameter.numel() for parameter in model.parameters())
    assert count(spec) == Counts(params, **seen)
    assert any(isinstance(module, SelectiveKernel) for module in model.modules())


def test_equal_keys_cost_the_same() -> None:
    one = ArchSpec(backbone="shufflenet_v2", unit=UnitSpec(dilations=(3, 1), reduction=64))
    other = ArchSpec(backbone="shufflenet_v2", unit=UnitSpec(dilations=(1, 3), reduction=16))
    assert one.key == other.key
    assert count(one) == count(other)


def test_costs_by_name() -> None:
    spec = ArchSpec(backbone="mobilenet_v3_small")
    counts = count(spec)
    values = {name: COSTS[name](spec) for name in ("mflops", "params", "activations")}
    assert values == {
        "mflops": counts.macs / 1e6,
        "params": counts.params,
        "activations": counts.activations,
    }
