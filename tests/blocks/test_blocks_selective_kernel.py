from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from blocks import InvalidInput, SelectiveKernel
from blocks.units.selection import sum_of_means

TOLERANCE: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}


@dataclass(frozen=True)
class Case:
    channels: int
    dilations: tuple[int, ...]
    kernel: str
    widths: tuple[int, ...]
    select: str
    reduction: int
    min_dim: int
    branch_act: bool
    stride: int
    height: int
    width: int
    training: bool
    seed: int

    def unit(
        self,
        dilations: Sequence[int] | None = None,
        kernel: str | None = None,
        widths: Sequence[int] | None = None,
        select: str | None = None,
    ) -> Any:
        torch.manual_seed(self.seed)
        unit = SelectiveKernel(
            self.channels,
            self.dilations if dilations is None else dilations,
            kernel=kernel or self.kernel,  # type: ignore[arg-type]
            group_width=widths or self.widths,
            reduction=self.reduction,
            min_dim=self.min_dim,
            branch_act=self.branch_act,
            stride=self.stride,
            select=select or self.select,  # type: ignore[arg-type]
        ).double()
        for value in unit.parameters():
            # Far from every start that would hide a mistake: no ones, no zeros, no tiny attention.
            if value.ndim == 1:
                nn.init.uniform_(value, 0.2, 1.5)
            else:
                nn.init.normal_(value, std=0.5)
        for name, statistic in unit.named_buffers():
            if name.endswith("running_var"):
                nn.init.uniform_(statistic, 0.5, 2)
            elif name.endswith("running_mean"):
                nn.init.normal_(statistic)
        return unit.train(self.training)

    def image(self) -> Tensor:
        torch.manual_seed(self.seed + 1)
        return torch.randn(3, self.channels, self.height, self.width, dtype=torch.float64)


@st.composite
def cases(draw: st.DrawFn, min_branches: int = 1, select: str | None = "full") -> Case:
    channels = draw(st.integers(1, 4)) * draw(st.integers(1, 4))
    kernel = draw(st.sampled_from(["dilated", "real"]))
    lowest = 0 if kernel == "real" else 1
    dilations = draw(
        st.lists(st.integers(lowest, 4), min_size=min_branches, max_size=min_branches + 3)
    )
    divisors = st.sampled_from([width for width in range(1, channels + 1) if channels % width == 0])
    return Case(
        channels=channels,
        dilations=tuple(dilations),
        kernel=kernel,
        widths=tuple(draw(divisors) for _ in dilations),
        select=select or draw(st.sampled_from(["full", "reduced", "sum"])),
        reduction=draw(st.integers(1, 8)),
        min_dim=draw(st.integers(1, 6)),
        branch_act=draw(st.booleans()),
        stride=draw(st.sampled_from([1, 2, 3])),
        height=draw(st.integers(3, 9)),
        width=draw(st.integers(3, 9)),
        training=draw(st.booleans()),
        seed=draw(st.integers(0, 10_000)),
    )


def norm(x: Tensor, layer: nn.BatchNorm2d) -> Tensor:
    stats = (None, None) if layer.training else (layer.running_mean, layer.running_var)
    shape = x.shape if x.ndim == 4 else (*x.shape, 1, 1)
    out = functional.batch_norm(
        x.reshape(shape), *stats, layer.weight, layer.bias, training=layer.training, eps=layer.eps
    )
    return out.reshape(x.shape)


def transcribed(unit: SelectiveKernel, case: Case, x: Tensor) -> Tensor:
    """SKNet, Sec. 3.1, equation by equation, on a (B, M, C, H, W) stack of the branches."""
    branches = []
    for branch, dilation, width in zip(unit.branches, case.dilations, case.widths, strict=True):
        assert isinstance(branch, nn.Sequential)
        side, spread = (3, dilation) if case.kernel == "dilated" else (2 * dilation + 1, 1)
        convolution, branch_norm = branch[0], branch[1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(branch_norm, nn.BatchNorm2d)
        weight = convolution.weight
        assert weight.shape == (case.channels, width, side, side)
        out = functional.conv2d(
            x,
            weight,
            stride=case.stride,
            padding=dilation,
            dilation=spread,
            groups=case.channels // width,
        )
        out = norm(out, branch_norm)
        branches.append(out.relu() if case.branch_act else out)
    stack = torch.stack(branches, dim=1)
    if len(branches) == 1:
        return stack[:, 0]
    fused = stack.sum(1)  # (1)
    if case.select == "sum":
        return fused
    squeezed = fused.mean((2, 3))  # (2)
    down, down_norm = unit.fuse[0], unit.fuse[1]
    assert isinstance(down, nn.Conv2d)
    assert isinstance(down_norm, nn.BatchNorm2d)
    z = norm(squeezed @ down.weight.flatten(1).T, down_norm).relu()  # (3)
    assert z.shape[1] == max(case.channels // case.reduction, case.min_dim)  # (4)
    select = unit.select.weight.reshape(-1, case.channels, z.shape[1])
    if case.select == "reduced":
        select = torch.cat((torch.zeros_like(select[:1]), select))
    assert len(select) == len(branches)
    attention = torch.einsum("mcd,bd->bmc", select, z).softmax(1)  # (5)
    return (attention[..., None, None] * stack).sum(1)  # (6)


@settings(max_examples=60, deadline=None)
@given(cases(select=None))
def test_equals_the_equations_with_gradients(case: Case) -> None:
    unit, x = case.unit(), case.image().requires_grad_()
    weights = [x, *unit.parameters()]
    ours, theirs = unit(x), transcribed(unit, case, x)
    assert ours.shape == (
        3,
        case.channels,
        -(-case.height // case.stride),
        -(-case.width // case.stride),
    )
    torch.testing.assert_close(ours, theirs, **TOLERANCE)
    pull = torch.randn_like(ours)
    for got, wanted in zip(
        torch.autograd.grad((ours * pull).sum(), weights),
        torch.autograd.grad((theirs * pull).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(cases(min_branches=2))
def test_attention_is_a_distribution_over_the_branches(case: Case) -> None:
    unit = case.unit()
    maps = [branch(case.image()) for branch in unit.branches]
    attention = unit.attend(sum_of_means(maps))
    assert [weight.shape for weight in attention] == [(3, case.channels, 1, 1)] * len(maps)
    assert all((weight > 0).all() for weight in attention)
    torch.testing.assert_close(
        sum(attention), torch.ones(3, case.channels, 1, 1).double(), **TOLERANCE
    )


@settings(max_examples=30, deadline=None)
@given(cases(min_branches=2), st.randoms(use_true_random=False))
def test_order_of_branches_does_not_matter(case: Case, random: Any) -> None:
    order = list(range(len(case.dilations)))
    random.shuffle(order)
    unit = case.unit()
    permuted = case.unit(
        dilations=[case.dilations[i] for i in order], widths=[case.widths[i] for i in order]
    )
    permuted.fuse.load_state_dict(unit.fuse.state_dict())
    for target, source in enumerate(order):
        permuted.branches[target].load_state_dict(unit.branches[source].state_dict())
    rows = unit.select.weight.data.unflatten(0, (len(order), -1))
    permuted.select.weight.data = rows[order].flatten(0, 1)
    x = case.image()
    torch.testing.assert_close(permuted(x), unit(x), rtol=1e-11, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(cases().filter(lambda case: 0 not in case.dilations))
def test_real_kernel_with_the_dilated_taps_is_the_dilated_unit(case: Case) -> None:
    dilated, real = case.unit(kernel="dilated"), case.unit(kernel="real")
    state = dilated.state_dict()
    for index, dilation in enumerate(case.dilations):
        name = f"branches.{index}.0.weight"
        side = 2 * dilation + 1
        grown = torch.zeros(case.channels, case.widths[index], side, side).double()
        grown[:, :, ::dilation, ::dilation] = state[name]
        state[name] = grown
    real.load_state_dict(state)
    x = case.image()
    torch.testing.assert_close(real(x), dilated(x), rtol=1e-10, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(cases(min_branches=2, select="full"))
def test_reduced_selection_computes_what_the_full_one_computes(case: Case) -> None:
    full, reduced = case.unit(), case.unit(select="reduced")
    state = full.state_dict()
    matrices = state["select.weight"].unflatten(0, (len(case.dilations), -1))
    # A softmax does not change when all its inputs change by the same.
    state["select.weight"] = (matrices[1:] - matrices[:1]).flatten(0, 1)
    reduced.load_state_dict(state)
    x = case.image()
    torch.testing.assert_close(reduced(x), full(x), **TOLERANCE)


@settings(max_examples=15, deadline=None)
@given(cases(min_branches=2, select="sum"))
def test_without_selection_the_branches_are_summed_up(case: Case) -> None:
    unit, x = case.unit(), case.image()
    total = sum(branch(x) for branch in unit.branches)
    torch.testing.assert_close(unit(x), total, **TOLERANCE)
    assert {name.split(".")[0] for name, _ in unit.named_parameters()} == {"branches"}


def test_one_branch_has_neither_fuse_nor_select() -> None:
    unit = SelectiveKernel(8, (2,), branch_act=False).eval()
    assert not hasattr(unit, "fuse")
    assert not hasattr(unit, "select")
    x = torch.randn(2, 8, 7, 7)
    assert torch.equal(unit(x), unit.branches[0](x))


def test_many_branches() -> None:
    unit = SelectiveKernel(6, range(1, 17))
    unit(torch.randn(2, 6, 9, 9)).sum().backward()
    gradients = [parameter.grad for parameter in unit.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_defaults_are_the_papers() -> None:
    unit = SelectiveKernel(64)
    assert [branch[0].dilation for branch in unit.branches] == [(1, 1), (2, 2)]  # type: ignore[index]
    assert [branch[0].groups for branch in unit.branches] == [64, 64]  # type: ignore[index]
    assert isinstance(unit.branches[0][2], nn.ReLU)  # type: ignore[index]
    assert unit.fuse[0].weight.shape == (32, 64, 1, 1)
    assert unit.select.weight.shape == (128, 32, 1, 1)
    assert unit.select.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert not [name for name, _ in unit.named_parameters() if name.endswith("0.bias")]
    assert unit.select.bias is None


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"dilations": ()}, "dilations"),
        ({"dilations": (1, 0)}, "dilations: 0 is below 1; 0, a 1x1 kernel, needs kernel: real"),
        ({"dilations": (1, -1), "kernel": "real"}, "dilations: -1 is below 0"),
        ({"select": "max"}, "select: max; sk allows full, reduced, sum"),
        ({"group_width": (1, 2, 4)}, "group_width: 3 values for 2 branches"),
        ({"group_width": (1, 3)}, "group_width: 3 does not divide"),
        ({"channels": 0}, "channels"),
        ({"reduction": 0}, "reduction"),
        ({"min_dim": 0}, "min_dim"),
        ({"stride": 0}, "stride"),
        ({"group_width": 3}, "group_width"),
        ({"group_width": 0}, "group_width"),
        ({"group_width": 16}, "group_width"),
        ({"kernel": "dilate"}, "kernel"),
    ],
)
def test_refuses_what_cannot_be_built(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}"):
        SelectiveKernel(**{"channels": 8, **arguments})
