"""The tail of an SK unit in training, which keeps only the outputs of the convolutions.

With autograd alone, the BatchNorm, ReLU and selection of M branches keep 2 M maps: the output of each
convolution and of each ReLU. The latter are cheap to recompute: one multiply-add per element. One
backward pass for the whole tail also computes the gradients of the squeeze and of the selection in one
pass over the maps. ``benchmarks/sk_unit.py`` measures it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from blocks.units.selection import (
    is_traced,
    map_gradients,
    select,
    sum_of_means,
    weight_gradients,
)

Attend: TypeAlias = Callable[[Tensor], tuple[Tensor, ...]]
"""From the squeezed branches (B, C, 1, 1) to M weights (B, C, 1, 1)."""

ENDS = ({(nn.BatchNorm2d,)}, {(nn.BatchNorm2d, nn.ReLU)})
"""What may follow the convolutions of the branches."""


def can_recompute(branches: Iterable[nn.Module], x: Tensor) -> bool:
    """Whether ``select_recomputing`` stands for branches, squeeze and selection on the input ``x``.

    It does not under a tracer or compiler, which supports plain operations only; for branches other than
    a convolution, a BatchNorm2d with batch statistics and weights, and an optional ReLU; without
    gradients; or with a hook on a module that would not be called.
    """
    if is_traced() or not torch.is_grad_enabled() or not isinstance(x, Tensor):
        return False
    layers = [list(branch.children()) for branch in branches]
    if {tuple(map(type, rest)) for _, *rest in filter(None, layers)} not in ENDS or not all(layers):
        return False
    return (
        all(_is_plain_batch_norm(norm) for _, norm, *_ in layers)
        and all(_is_differentiated(conv, x) for conv, *_ in layers)
        and not (_has_any_global_hook() or any(map(_is_watched, branches)))
    )


def _is_plain_batch_norm(norm: nn.Module) -> bool:
    return (
        type(norm) is nn.BatchNorm2d
        and norm.training
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
    )


def _is_differentiated(conv: nn.Module, x: Tensor) -> bool:
    return x.requires_grad or any(parameter.requires_grad for parameter in conv.parameters())


def _is_watched(branch: nn.Module) -> bool:
    """Whether the branch, or a module after its convolution, has hooks."""
    _, *rest = branch.children()
    return any(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        for module in (branch, *rest)
    )


def select_recomputing(branches: Iterable[nn.Module], x: Tensor, attend: Attend) -> Tensor:
    """Branches, squeeze, attention and selection, with one pass back over the branches' maps.

    Two functions of autograd with the attention, left to autograd, between them: the backward pass of
    the selection comes first, passes on the gradients of the weights, and leaves to that of the squeeze
    what it needs to finish the gradients of the maps. In reverse mode, once: second derivatives,
    ``torch.func`` and forward mode are refused by an error.

    Args:
        branches: For which ``can_recompute`` holds; the running statistics of their BatchNorms are
            updated.
        x: (B, C, H, W).
        attend: Called once, on the sum of the branches' spatial means.

    Returns:
        (B, C, H', W').

    Raises:
        ValueError: A convolution gives one value a channel, which has no variance.
    """
    layers = [list(branch.children()) for branch in branches]
    maps: list[Tensor] = [conv(x) for conv, *_ in layers]
    norms = [cast("nn.BatchNorm2d", norm) for _, norm, *_ in layers]
    act = len(layers[0]) == 3
    with torch.no_grad():
        activated, statistics = [], []
        for branch, norm in zip(maps, norms, strict=True):
            normalised, mean, inverse_std = _normalise(branch, norm)
            activated.append(normalised.relu_() if act else normalised)
            statistics += [mean, inverse_std]
        mean_of_all = sum_of_means(activated)
    kept = [*maps, *(norm.weight for norm in norms), *(norm.bias for norm in norms)]
    tail = _Tail(norms, act)
    constants = [tensor.detach() for tensor in (*kept, *statistics)]
    squeezed: Tensor = _Squeeze.apply(tail, mean_of_all, len(kept), *kept, *constants)
    weights = [weight.to(activated[0].dtype) for weight in attend(squeezed)]
    selected: Tensor = _Select.apply(tail, activated, squeezed, *weights, *constants)
    return selected


class _Tail:
    """The state that the two functions share.

    The pass back over the maps waits from the selection's turn to the squeeze's, under the number of the
    backward pass: another pass, over a part of the graph or in another thread, must not find it.

    Attributes:
        norms: BatchNorm of each branch.
        act: Whether a ReLU follows.
    """

    def __init__(self, norms: Sequence[nn.BatchNorm2d], act: bool) -> None:
        self.norms, self.act = norms, act
        self.waiting: dict[int, Callable[[Tensor], list[Tensor]]] = {}

    def split(self, kept: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """(map, BatchNorm's weight and bias, mean, inverse deviation) of each branch."""
        count = len(self.norms)
        columns = [kept[start : start + count] for start in range(0, 3 * count, count)]
        statistics = kept[3 * count :]
        return list(zip(*columns, statistics[::2], statistics[1::2], strict=True))


def _pass_back(
    norms: Sequence[nn.BatchNorm2d],
    act: bool,
    parts: Sequence[tuple[Tensor, ...]],
    branches: list[Tensor],
    weights: Sequence[Tensor],
    upstream: Tensor,
    to_squeezed: Tensor,
) -> list[Tensor]:
    """Gradients of the maps, then of the BatchNorms' weights, then of their biases."""
    pixels = upstream.shape[2] * upstream.shape[3]
    squeezed = (to_squeezed / pixels).to(upstream.dtype)
    gradients = map_gradients(branches, weights, upstream, squeezed, act=act)
    branches.clear()
    of_norms = [
        _through_norm(gradient, branch, gamma, norm, mean, inverse_std)
        for gradient, (branch, gamma, _, mean, inverse_std), norm in zip(
            gradients, parts, norms, strict=True
        )
    ]
    return [gradient for column in zip(*of_norms, strict=True) for gradient in column]


class _Squeeze(torch.autograd.Function):
    """Puts the spatial mean of the branches' sum behind the maps and BatchNorms it comes from."""

    @staticmethod
    def forward(ctx: Any, tail: _Tail, mean: Tensor, inputs: int, *tensors: Tensor) -> Tensor:
        ctx.tail = tail
        ctx.save_for_backward(*tensors[inputs:])
        return mean.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivatives()
        finish = ctx.tail.waiting.pop(torch._C._current_graph_task_id(), None)
        if finish is None:  # A loss on the attention alone.
            parts = ctx.tail.split(ctx.saved_tensors)
            branches = [_again(*part, act=ctx.tail.act) for part in parts]
            upstream = torch.zeros_like(branches[0])
            weights = [gradient.to(upstream.dtype)] * len(parts)
            gradients = _pass_back(
                ctx.tail.norms, ctx.tail.act, parts, branches, weights, upstream, gradient
            )
        else:
            gradients = finish(gradient)
        constants = 5 * len(ctx.tail.norms)
        return (None, None, None, *gradients, *[None] * constants)


class _Select(torch.autograd.Function):
    """The selection. Its gradient with respect to the maps is left to the squeeze's turn."""

    @staticmethod
    def forward(
        ctx: Any, tail: _Tail, branches: list[Tensor], squeezed: Tensor, *tensors: Tensor
    ) -> Tensor:
        ctx.tail, ctx.vectors = tail, torch.zeros_like(squeezed)
        ctx.save_for_backward(*tensors)
        return select(branches, tensors[: len(tail.norms)], overwrite=True)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivatives()
        tail, count = ctx.tail, len(ctx.tail.norms)
        tensors = ctx.saved_tensors
        # Detached: what waits must not hold the graph that it waits in.
        weights = [weight.detach() for weight in tensors[:count]]
        parts = tail.split(tensors[count:])
        branches = [_again(*part, act=tail.act) for part in parts]
        of_weights = weight_gradients(branches, upstream)
        of_weights = [g.to(w.dtype) for g, w in zip(of_weights, weights, strict=True)]
        tail.waiting[torch._C._current_graph_task_id()] = partial(
            _pass_back, tail.norms, tail.act, parts, branches, weights, upstream
        )
        # No gradient for the squeezed vector, but its backward pass runs in any case.
        return (None, None, ctx.vectors, *of_weights, *[None] * (5 * count))


def _refuse_second_derivatives() -> None:
    if torch.is_grad_enabled():
        # A partial second derivative would be wrong without a warning.
        raise RuntimeError("SelectiveKernel in training has first derivatives only (create_graph)")


def _through_norm(
    gradient: Tensor,
    branch: Tensor,
    gamma: Tensor,
    norm: nn.BatchNorm2d,
    mean: Tensor,
    inverse_std: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a BatchNorm's input, weight and bias."""
    result: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        gradient, branch, gamma, norm.running_mean, norm.running_var, mean, inverse_std, True,
        norm.eps, [True, True, True],
    )  # fmt: skip
    return result


def _normalise(branch: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor, Tensor]:
    """What ``norm`` does in training, with the statistics that its backward pass needs."""
    if branch.numel() == branch.shape[1]:
        raise ValueError(f"Expected more than 1 value per channel in training; got {branch.shape}")
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    result: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm(
        branch, norm.weight, norm.bias, norm.running_mean, norm.running_var, True, norm.momentum,
        norm.eps,
    )  # fmt: skip
    return result


def _again(
    branch: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, inverse_std: Tensor, *, act: bool
) -> Tensor:
    """What BatchNorm and ReLU gave in the forward pass."""
    scale = gamma * inverse_std
    shift = beta - mean * scale
    shape = (1, -1, 1, 1)
    # BatchNorm of 16-bit maps calculates in 32.
    wide = torch.addcmul(shift.view(shape), branch.to(scale.dtype), scale.view(shape))
    normalised = wide.to(branch.dtype)
    return normalised.relu_() if act else normalised
