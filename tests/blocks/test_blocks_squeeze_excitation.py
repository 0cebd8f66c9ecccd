from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import InvalidInput, SqueezeExcitation


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 7), st.integers(1, 7))
def test_equals_the_equations_with_gradients(
    channels: int, reduction: int, height: int, width: int
) -> None:
    torch.manual_seed(channels * 100 + reduction)
    unit = SqueezeExcitation(channels, reduction).double()
    for weight in unit.parameters():
        torch.nn.init.normal_(weight)
    x = torch.randn(2, channels, height, width, dtype=torch.float64, requires_grad=True)
    first, second = unit.squeeze.weight.flatten(1), unit.excite.weight.flatten(1)
    assert first.shape == (max(channels // reduction, 1), channels)

    z = x.flatten(2).mean(2)  # (2)
    gate = 1 / (1 + torch.exp(-(second @ (first @ z.T).clamp(min=0)).T))  # (3)
    wanted = gate[:, :, None, None] * x  # (4)

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
