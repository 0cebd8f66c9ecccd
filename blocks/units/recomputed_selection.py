"""The tail of an SK unit in training, keeping nothing but what the convolutions gave.

Left to autograd, the BatchNorm, ReLU and selection of M branches keep 2 M maps: what each convolution
gave and what each ReLU gave. The latter are cheap to compute again: one multiply-add a number. With one
backward pass for the whole tail, the gradients of the squeeze and of the selection also come together in
one pass over the maps. Measured by ``benchmarks/sk_unit.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from blocks.units.selection import (
    is_traced,
    map_gradients,
    select,
    sum_of_means,
    weight_gradients,
)

Attend: TypeAlias = Callable[[Tensor], tuple[Tensor, ...]]
"""From the squeezed branches (B, C, 1, 1) to M weights (B, C, 1, 1)."""


def can_recompute(branches: Iterable[nn.Module], x: Tensor) -> bool:
    """Whether ``select_recomputing`` stands for branches, squeeze and selection on the input ``x``.

    Not under a tracer or compiler, which see through plain operations only. Not for branches other than
    a convolution, a BatchNorm2d with batch statistics and weights, and perhaps a ReLU. Not where nothing
    is differentiated, or where a hook waits for a module that would not be called.
    """
    if is_traced() or not torch.is_grad_enabled():
        return False
    layers = [list(branch.children()) for branch in branches]
    ends = {tuple(map(type, rest)) for _, _, *rest in layers}
    return (
        ends in ({()}, {(nn.ReLU,)})
        and all(_is_plain_batch_norm(norm) for _, norm, *_ in layers)
        and all(_is_differentiated(conv, x) for conv, *_ in layers)
        and not any(map(_is_watched, branches))
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
    """Whether hooks sit on the branch or on what comes after its convolution."""
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
    what it needs to finish the gradients of the maps.

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
    squeezed: Tensor = _Squeeze.apply(mean_of_all, *kept)
    weights = attend(squeezed)
    given = [weight.to(activated[0].dtype) for weight in weights]
    kept = [tensor.detach() for tensor in (*kept, *statistics)]
    selected: Tensor = _Select.apply(squeezed.grad_fn, norms, act, activated, *given, *kept)
    return selected


class _Squeeze(torch.autograd.Function):
    """Puts the spatial mean of the branches' sum behind the maps and BatchNorms it comes from."""

    @staticmethod
    def forward(ctx: Any, mean: Tensor, *inputs: Tensor) -> Tensor:
        ctx.finish = None
        return mean.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        # Every path to the squeezed vector leads through the selection, whose pass back came first.
        gradients = ctx.finish(gradient)
        ctx.finish = None
        return (None, *gradients)


class _Select(torch.autograd.Function):
    """The selection; keeps what the convolutions gave and the statistics of each BatchNorm."""

    @staticmethod
    def forward(
        ctx: Any,
        squeeze: Any,
        norms: Sequence[nn.BatchNorm2d],
        act: bool,
        branches: list[Tensor],
        *tensors: Tensor,
    ) -> Tensor:
        ctx.squeeze, ctx.norms, ctx.act = squeeze, norms, act
        ctx.save_for_backward(*tensors)
        return select(branches, tensors[: len(norms)], overwrite=True)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            # A partial second derivative would be worse than none.
            raise RuntimeError(
                "SelectiveKernel in training has first derivatives only (create_graph)"
            )
        count, tensors = len(ctx.norms), ctx.saved_tensors
        weights, maps, gammas, betas = (
            tensors[start : start + count] for start in range(0, 4 * count, count)
        )
        means, inverse_stds = tensors[4 * count :: 2], tensors[4 * count + 1 :: 2]
        branches = [
            _again(*each, act=ctx.act)
            for each in zip(maps, gammas, betas, means, inverse_stds, strict=True)
        ]

        def finish(to_squeezed: Tensor) -> list[Tensor]:
            pixels = upstream.shape[2] * upstream.shape[3]
            squeezed = (to_squeezed / pixels).to(upstream.dtype)
            gradients = map_gradients(branches, weights, upstream, squeezed, act=ctx.act)
            branches.clear()
            of_norms = [
                _through_norm(*each)
                for each in zip(
                    gradients, maps, gammas, ctx.norms, means, inverse_stds, strict=True
                )
            ]
            return [gradient for column in zip(*of_norms, strict=True) for gradient in column]

        ctx.squeeze.finish = finish
        to_weights = weight_gradients(branches, upstream)
        of_weights = [g.to(w.dtype) for g, w in zip(to_weights, weights, strict=True)]
        return (None, None, None, None, *of_weights, *[None] * 5 * count)


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
    normalised = torch.addcmul(
        shift.view(shape).to(branch.dtype), branch, scale.view(shape).to(branch.dtype)
    )
    return normalised.relu_() if act else normalised
