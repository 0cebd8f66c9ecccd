"""The tail of an SK unit in training, keeping nothing but what the convolutions gave.

Left to autograd, the BatchNorm, ReLU and selection of M branches keep 2 M maps: what each convolution
gave and what each ReLU gave. The latter are cheap to compute again: one multiply-add a number. With one
backward pass for the whole tail, the gradients of the squeeze and of the selection also come together in
one pass over the maps. Measured by ``benchmarks/sk_unit.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeGuard

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


def can_recompute(
    norms: list[nn.Module], maps: Sequence[Tensor]
) -> TypeGuard[list[nn.BatchNorm2d]]:
    """Whether ``normalise_and_select`` stands for BatchNorm, ReLU, squeeze and selection here.

    Not under a tracer or compiler, which see through plain operations only; not for another norm than
    BatchNorm2d with batch statistics and weights.
    """
    if is_traced() or not torch.is_grad_enabled():
        return False
    batch, _, height, width = maps[0].shape
    # BatchNorm2d refuses a single value a channel with a message of its own.
    return batch * height * width > 1 and all(map(_is_plain_batch_norm, norms))


def _is_plain_batch_norm(norm: nn.Module) -> bool:
    return (
        type(norm) is nn.BatchNorm2d
        and norm.training
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
    )


def normalise_and_select(
    maps: Sequence[Tensor],
    norms: Sequence[nn.BatchNorm2d],
    act: bool,
    attend: Attend,
    parameters: Sequence[nn.Parameter],
) -> Tensor:
    """BatchNorm, ReLU (``act``), squeeze, attention and selection as one differentiable function.

    Args:
        maps: What the M convolutions gave, (B, C, H, W) each.
        norms: The branches' BatchNorms, in training mode; their running statistics are updated.
        act: Whether the branches end in a ReLU.
        attend: Called once, on the sum of the branches' spatial means.
        parameters: The parameters that ``attend`` uses.

    Returns:
        (B, C, H, W).
    """
    weights = [norm.weight for norm in norms]
    biases = [norm.bias for norm in norms]
    result: Tensor = _Tail.apply(
        norms, act, attend, len(parameters), *parameters, *maps, *weights, *biases
    )
    return result


class _Tail(torch.autograd.Function):
    """Keeps the maps, the statistics of each BatchNorm, and the graph of the attention's vectors."""

    @staticmethod
    def forward(
        ctx: Any,
        norms: Sequence[nn.BatchNorm2d],
        act: bool,
        attend: Attend,
        number: int,
        *tensors: Tensor,
    ) -> Tensor:
        parameters, maps = tensors[:number], tensors[number : number + len(norms)]
        branches, statistics = [], []
        for branch, norm in zip(maps, norms, strict=True):
            normalised, mean, inverse_std = _normalise(branch, norm)
            branches.append(normalised.relu_() if act else normalised)
            statistics += [mean, inverse_std]
        squeezed = sum_of_means(branches).detach()
        with torch.enable_grad():
            squeezed.requires_grad_()
            weights = attend(squeezed)
        ctx.squeezed, ctx.weights, ctx.parameters = squeezed, weights, parameters
        ctx.norms, ctx.act = norms, act
        ctx.save_for_backward(*tensors[number:], *statistics)
        given = [weight.detach().to(branches[0].dtype) for weight in weights]
        return select(branches, given, overwrite=True)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            # A partial second derivative would be worse than none.
            raise RuntimeError(
                "SelectiveKernel in training has first derivatives only (create_graph)"
            )
        saved = ctx.saved_tensors
        count = len(ctx.norms)
        maps, gammas, betas = saved[:count], saved[count : 2 * count], saved[2 * count : 3 * count]
        means, inverse_stds = saved[3 * count :: 2], saved[3 * count + 1 :: 2]
        branches = [
            _again(*each, act=ctx.act)
            for each in zip(maps, gammas, betas, means, inverse_stds, strict=True)
        ]
        to_weights = weight_gradients(branches, upstream)
        wanted = [parameter for parameter in ctx.parameters if parameter.requires_grad]
        squeezed, *found = torch.autograd.grad(
            ctx.weights,
            [ctx.squeezed, *wanted],
            [g.to(w.dtype) for g, w in zip(to_weights, ctx.weights, strict=True)],
            retain_graph=True,  # vectors only; the caller may ask for a second backward pass
        )
        pixels = upstream.shape[2] * upstream.shape[3]
        gradients = map_gradients(
            branches,
            [weight.detach().to(upstream.dtype) for weight in ctx.weights],
            upstream,
            (squeezed / pixels).to(upstream.dtype),
            act=ctx.act,
        )
        del branches
        of_norms = [
            torch.ops.aten.native_batch_norm_backward(
                gradient, branch, gamma, norm.running_mean, norm.running_var, mean, inverse_std,
                True, norm.eps, [True, True, True],
            )
            for gradient, branch, gamma, norm, mean, inverse_std in zip(
                gradients, maps, gammas, ctx.norms, means, inverse_stds, strict=True
            )
        ]  # fmt: skip
        by_parameter = iter(found)
        of_parameters = [next(by_parameter) if p.requires_grad else None for p in ctx.parameters]
        columns = zip(*of_norms, strict=True)
        return (None, None, None, None, *of_parameters, *(g for column in columns for g in column))


def _normalise(branch: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor, Tensor]:
    """What ``norm`` does in training, with the statistics that its backward pass needs."""
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
