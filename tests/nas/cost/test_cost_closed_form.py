from __future__ import annotations

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
    values = {name: COSTS[name](spec) for name in COSTS}
    assert values == {
        "mflops": counts.macs / 1e6,
        "params": counts.params,
        "activations": counts.activations,
    }
