"""The training form of an SK unit: same function, same statistics, fewer saved maps."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from blocks import SelectiveKernel
from blocks.units.recomputed_selection import _again, _normalise

CHANNELS = 6


def make(dilations: tuple[int, ...] = (1, 2), **options: object) -> SelectiveKernel:
    torch.manual_seed(0)
    unit = SelectiveKernel(CHANNELS, dilations, min_dim=4, **options)  # type: ignore[arg-type]
    nn.init.normal_(unit.select.weight)
    for module in unit.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    return unit


def plain(unit: SelectiveKernel) -> Callable[[Tensor], Tensor]:
    """The same unit by modules and autograd alone."""

    def forward(x: Tensor) -> Tensor:
        stack = torch.stack([branch(x) for branch in unit.branches], dim=1)
        logits = unit.select(unit.fuse(stack.sum(1).mean((2, 3), keepdim=True)))
        weights = logits.view(len(x), len(unit.branches), CHANNELS, 1, 1).softmax(1)
        selected: Tensor = (stack * weights).sum(1)
        return selected

    return forward


@pytest.mark.parametrize("act", [True, False])
@pytest.mark.parametrize("dilations", [(1, 2), (1, 2, 3), (1, 1, 2, 3, 4)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_float32_gradients_and_running_statistics(
    act: bool, dilations: tuple[int, ...], layout: torch.memory_format
) -> None:
    unit = make(dilations, branch_act=act)
    reference = copy.deepcopy(unit)
    image = torch.randn(8, CHANNELS, 9, 7).contiguous(memory_format=layout)
    x, y = image.clone().requires_grad_(), image.clone().requires_grad_()
    pull = torch.randn(8, CHANNELS, 9, 7)
    got, wanted = unit(x), plain(reference)(y)
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)
    got.backward(pull)
    wanted.backward(pull)
    assert x.grad is not None
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-4, atol=1e-4)
    for (name, ours), theirs in zip(unit.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4, msg=name)
    for ours_buffer, theirs_buffer in zip(unit.buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(ours_buffer, theirs_buffer)


@pytest.mark.parametrize("branches", [2, 3])
def test_keeps_the_input_and_what_the_convolutions_gave(branches: int) -> None:
    unit = make(tuple(range(1, branches + 1)))
    x = torch.randn(4, CHANNELS, 32, 32, requires_grad=True)
    assert saved_maps(unit, x) == pytest.approx(1 + branches, abs=0.1)
    assert saved_maps(plain(unit), x) > 1 + 2 * branches


def saved_maps(forward: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Bytes that autograd keeps, in maps of the input's size."""
    kept: dict[int, tuple[int, Tensor]] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward(x)
    return sum(size for size, _ in kept.values()) / (x.numel() * x.element_size())


def test_two_backward_passes_give_the_same() -> None:
    unit = make()
    x = torch.randn(4, CHANNELS, 5, 5, requires_grad=True)
    out = unit(x).square().sum()
    first = torch.autograd.grad(out, [x, *unit.parameters()], retain_graph=True)
    second = torch.autograd.grad(out, [x, *unit.parameters()])
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


def test_second_derivatives_are_refused_even_where_the_loss_is_linear() -> None:
    unit = make()
    x = torch.randn(4, CHANNELS, 5, 5, requires_grad=True)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(unit(x).sum(), x, create_graph=True)


def test_frozen_parameters_get_no_gradient_and_the_others_do() -> None:
    unit = make()
    unit.select.weight.requires_grad_(False)
    unit.branches[0][1].weight.requires_grad_(False)  # type: ignore[index]
    unit(torch.randn(4, CHANNELS, 5, 5)).sum().backward()
    without = {name for name, value in unit.named_parameters() if value.grad is None}
    assert without == {"select.weight", "branches.0.1.weight"}


def test_a_hook_on_a_parameter_of_the_attention_acts_once() -> None:
    unit, reference = make(), make()
    x = torch.randn(4, CHANNELS, 5, 5)
    for module in (unit, reference):
        for parameter in (*module.fuse.parameters(), module.select.weight):
            parameter.register_hook(lambda gradient: 3 * gradient)
    unit(x).square().sum().backward()
    plain(reference)(x).square().sum().backward()
    for ours, theirs in zip(unit.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("watched", ["branches.0", "branches.1.1", "branches.0.2"])
def test_a_module_that_is_watched_is_called(watched: str) -> None:
    unit, reference = make(), make()
    seen: list[torch.Size] = []
    unit.get_submodule(watched).register_forward_hook(lambda *each: seen.append(each[2].shape))
    x = torch.randn(4, CHANNELS, 5, 5)
    torch.testing.assert_close(unit(x), reference(x))
    assert seen == [x.shape]


def detach_squeeze(unit: SelectiveKernel) -> None:
    unit.fuse.register_forward_hook(lambda module, inputs, output: output.detach())


def detach_logits(unit: SelectiveKernel) -> None:
    unit.select.register_forward_hook(lambda module, inputs, output: output.detach())


@pytest.mark.parametrize("change", [detach_squeeze, detach_logits])
def test_branches_learn_whatever_the_attention_hangs_on(
    change: Callable[[SelectiveKernel], None],
) -> None:
    unit, reference = make(), make()
    x = torch.randn(4, CHANNELS, 5, 5)
    for module in (unit, reference):
        change(module)
    unit(x).square().sum().backward()
    plain(reference)(x).square().sum().backward()
    for ours, theirs in zip(unit.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("parts", ["attention", "together", "apart", "after a part"])
def test_losses_on_the_attention(parts: str) -> None:
    """Backward passes over parts of the graph, in every order, as autograd takes them."""
    gradients: list[list[Tensor | None]] = []
    for module in (make().double(), make().double()):
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(4, CHANNELS, 5, 5, generator=generator, dtype=torch.float64)
        kept: list[Tensor] = []
        module.select.register_forward_hook(lambda m, i, o, kept=kept: kept.append(o))
        out = (module if not gradients else plain(module))(x).square().sum()
        attention = kept[0].square().sum()
        if parts == "attention":
            attention.backward()
        elif parts == "together":
            (out + attention).backward()
        elif parts == "apart":
            out.backward(retain_graph=True)
            attention.backward()
        else:
            torch.autograd.grad(out, [module.select.weight], retain_graph=True)
            attention.backward()
        gradients.append([parameter.grad for parameter in module.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_a_backward_pass_over_a_part_leaves_no_memory_behind() -> None:
    unit = make()

    def maps() -> int:
        """Tensors of the size of a map."""
        gc.collect()
        return sum(isinstance(o, Tensor) and o.shape[-1:] == (37,) for o in gc.get_objects())

    before = maps()
    for _ in range(3):
        out = unit(torch.randn(2, CHANNELS, 37, 37)).square().mean()
        torch.autograd.grad(out, [unit.select.weight])
        del out
    assert maps() == before


def test_a_branch_that_is_something_else_runs_as_it_is() -> None:
    unit = make()
    unit.branches[0] = nn.Identity()
    x = torch.randn(4, CHANNELS, 5, 5)
    torch.testing.assert_close(unit(x), plain(unit)(x))


@pytest.mark.parametrize("reentrant", [True, False])
def test_under_checkpointing_the_unit_runs_twice_and_no_more(reentrant: bool) -> None:
    unit, reference = make(), make()
    calls: list[int] = []
    unit.fuse.register_forward_hook(lambda *_: calls.append(1))
    x = torch.randn(4, CHANNELS, 5, 5, requires_grad=True)
    checkpoint(unit, x, use_reentrant=reentrant).square().sum().backward()
    assert len(calls) == 2
    plain(reference)(x).square().sum().backward()
    for ours, theirs in zip(unit.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


def test_frozen_convolutions_leave_the_rest_to_train() -> None:
    unit = make()
    for branch in unit.branches:
        branch[0].requires_grad_(False)  # type: ignore[index]
    unit(torch.randn(4, CHANNELS, 5, 5)).sum().backward()
    assert unit.fuse[0].weight.grad is not None
    assert unit.branches[0][1].weight.grad is not None  # type: ignore[index]


def test_a_single_value_a_channel_is_refused_as_batch_norm_refuses_it() -> None:
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        make()(torch.randn(1, CHANNELS, 1, 1))


def test_bfloat16_autocast_trains() -> None:
    unit, reference = make(), make()
    x = torch.randn(8, CHANNELS, 9, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = unit(x)
    out.float().square().mean().backward()
    plain(reference)(x).square().mean().backward()
    for ours, theirs in zip(unit.parameters(), reference.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert ours.grad.dtype == torch.float32
        similar = torch.cosine_similarity(ours.grad.flatten(), theirs.grad.flatten(), dim=0)
        assert similar > 0.98


def test_16_bit_maps_are_normalised_again_in_32() -> None:
    """Else the ReLU opens elsewhere than in the forward pass, for maps far from zero."""
    norm = nn.BatchNorm2d(CHANNELS)
    branch = (torch.randn(8, CHANNELS, 9, 9) + 30).bfloat16()
    with torch.no_grad():
        forward, mean, inverse_std = _normalise(branch, norm)
        again = _again(branch, norm.weight, norm.bias, mean, inverse_std, act=False)
    assert again.dtype == torch.bfloat16
    assert ((forward > 0) == (again > 0)).all()
    torch.testing.assert_close(again, forward, rtol=0.01, atol=1e-3)


@pytest.mark.integration
def test_inside_a_compiled_network_the_function_is_the_same() -> None:
    unit, reference = make(), make()
    x = torch.randn(4, CHANNELS, 6, 6)
    compiled = torch.compile(unit, backend="aot_eager", fullgraph=True)
    compiled(x).square().sum().backward()
    reference(x).square().sum().backward()
    for ours, theirs in zip(unit.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)
