"""What is read from a network, against computations by hand and networks with known attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from blocks import ArchSpec, SelectiveKernel, build
from nas.analysis import Attention, collect, unit_shifts
from nas.analysis.scales import enlarge
from nas.analysis.units import SkUnit, sk_units
from nas.errors import WorkFailed

MakeSpec = Callable[..., ArchSpec]
MakeModel = Callable[..., nn.Module]
SCALES = (1.0, 1.5, 2.0)


def images_of(count: int) -> Tensor:
    return torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(5))


def read(
    model: nn.Module, spec: ArchSpec, images: Tensor, batch: int = 100, **options: Any
) -> Attention:
    labels = torch.arange(len(images)) % 10
    batches = zip(images.split(batch), labels.split(batch), strict=True)
    return collect(model, sk_units(model, spec), batches, SCALES, **options)


def by_hand(model: nn.Module, unit: SkUnit, images: Tensor) -> NDArray[np.float64]:
    """Equations 1 to 5 in NumPy: the weights (B, M, C) of one unit."""
    module = model.get_submodule(unit.path)
    assert isinstance(module, SelectiveKernel)
    seen: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(images)
        hook.remove()
        maps = [branch(seen[0]).double().numpy() for branch in module.branches]
        s = sum(maps).mean((2, 3))
        down, norm = module.fuse[0], module.fuse[1]
        assert isinstance(down, torch.nn.Conv2d)
        assert isinstance(norm, torch.nn.BatchNorm2d)
        assert norm.running_var is not None
        assert norm.running_mean is not None
        weight = down.weight.double()[:, :, 0, 0].numpy()
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).double().numpy()
        z = np.maximum((s @ weight.T - norm.running_mean.numpy()) * scale + norm.bias.numpy(), 0)
        rows = module.select.weight.double()[:, :, 0, 0].numpy()
    logits = (z @ rows.T).reshape(len(images), -1, unit.channels)
    if logits.shape[1] < len(maps):
        logits = np.concatenate([np.zeros_like(logits[:, :1]), logits], axis=1)
    powers = np.exp(logits)
    weights: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return weights


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"select": "reduced"},
        {"dilations": (1, 2, 3)},
        {"dilations": (1, 2, 3), "select": "reduced", "group_width": 2, "branch_act": False},
    ],
    ids=str,
)
def test_attention_is_that_of_the_equations(
    fields: dict[str, Any], make_spec: MakeSpec, make_attending: MakeModel
) -> None:
    spec = make_spec(**fields)
    model, images = make_attending(spec), images_of(6)
    attention = read(model, spec, images, batch=4)
    for one in (attention.units[0], attention.units[9], attention.units[-1]):
        for number, scale in enumerate(SCALES):
            weights = by_hand(model, one.unit, enlarge(images, scale))
            assert np.ptp(weights) > 0.05
            np.testing.assert_allclose(one.branches[number], weights.mean(2), atol=1e-5)
            np.testing.assert_allclose(one.channels[number], weights[:, -1].mean(0), atol=1e-5)
            difference = (weights[:, -1] - weights[:, 0]).mean(1)
            np.testing.assert_allclose(one.difference[number], difference, atol=1e-5)


def test_with_two_branches_the_difference_is_twice_the_mean_less_one(
    make_spec: MakeSpec, make_attending: MakeModel
) -> None:
    spec = make_spec()
    for one in read(make_attending(spec), spec, images_of(5)).units:
        assert one.branches.shape == (3, 5, 2)
        np.testing.assert_allclose(one.difference, 2 * one.branches[..., 1] - 1, atol=1e-6)
        np.testing.assert_allclose(one.branches.sum(-1), 1, atol=1e-6)


def test_batches_do_not_matter_and_a_limit_takes_the_first(
    make_spec: MakeSpec, make_attending: MakeModel
) -> None:
    spec = make_spec()
    # In float64: a random network multiplies differences, and float32 rounds by the batch's size.
    model, images = make_attending(spec).double(), images_of(13).double()
    whole, parts = read(model, spec, images), read(model, spec, images, batch=4)
    few = read(model, spec, images, batch=4, limit=6)
    exact = read(model, spec, images, batch=4, limit=8)
    assert whole.labels.tolist() == parts.labels.tolist() == [i % 10 for i in range(13)]
    assert few.labels.tolist() == list(range(6))
    assert exact.labels.tolist() == list(range(8))
    for one, other, first in zip(whole.units, parts.units, few.units, strict=True):
        np.testing.assert_allclose(one.branches, other.branches, atol=1e-9)
        np.testing.assert_allclose(one.channels, other.channels, atol=1e-9)
        np.testing.assert_allclose(one.branches[:, :6], first.branches, atol=1e-9)


def test_the_network_is_left_as_it_was(make_spec: MakeSpec, make_attending: MakeModel) -> None:
    spec = make_spec()
    model, images = make_attending(spec), images_of(3)
    with torch.no_grad():
        before = model(images)
        state = {name: value.clone() for name, value in model.state_dict().items()}
        read(model, spec, images)
        assert torch.equal(model(images), before)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("dilations", [(1, 2), (1, 2, 3)])
@pytest.mark.parametrize("select", ["full", "reduced"])
def test_zero_select_weights_give_equal_shares_and_no_shift(
    dilations: tuple[int, ...], select: str, make_spec: MakeSpec, make_attending: MakeModel
) -> None:
    spec = make_spec(dilations=dilations, select=select)
    model = make_attending(spec)
    for module in model.modules():
        if isinstance(module, SelectiveKernel):
            nn.init.zeros_(module.select.weight)
    for one in read(model, spec, images_of(9)).units:
        share = np.float64(np.float32(1) / np.float32(len(dilations)))
        np.testing.assert_allclose(one.branches, share, rtol=1e-15)
        np.testing.assert_allclose(one.channels, share, rtol=1e-15)
        assert not one.difference.any()
        for shift in unit_shifts(one.difference):
            assert (shift.mean, shift.low, shift.high, shift.excludes_0) == (0, 0, 0, False)


def sees_size(spec: ArchSpec, sign: float) -> nn.Module:
    """A network in which every unit's larger kernel is favoured (sign +1) where the image is bright.

    Every layer takes means, so that brightness reaches the last unit; the logits of the larger kernel
    are the brightness that the unit squeezes.
    """
    model = build(spec).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    for module in model.modules():
        if isinstance(module, SelectiveKernel):
            larger = module.select.weight[-module.select.out_channels // 2 :]
            nn.init.zeros_(module.select.weight)
            nn.init.constant_(larger, sign * 2 / larger[0].numel())
    return model


@pytest.mark.parametrize(("sign", "direction"), [(1.0, "positive"), (-1.0, "negative")])
def test_attention_that_follows_the_size_of_the_object_shows_as_a_shift(
    sign: float, direction: str, make_spec: MakeSpec
) -> None:
    spec = make_spec()
    images = torch.zeros(12, 1, 16, 16)
    for number, image in enumerate(images):  # squares of several sizes in the middle
        margin = 4 + number % 4
        image[:, margin:-margin, margin:-margin] = 1 + 0.1 * number
    attention = read(sees_size(spec, sign), spec, images)
    assert len(attention.units) == 19
    for one in attention.units:
        first, second = unit_shifts(one.difference)
        assert first.direction == second.direction == direction, one.unit.name
        assert abs(second.mean) > abs(first.mean)


def test_weights_that_are_broken_are_not_analysed(
    make_spec: MakeSpec, make_attending: MakeModel
) -> None:
    spec = make_spec()
    model = make_attending(spec)
    nn.init.constant_(model.get_parameter("conv1.0.weight"), float("nan"))
    with pytest.raises(WorkFailed, match="SK_2_1s: the attention is not a number"):
        read(model, spec, images_of(2))
