"""Selection between the branches of an SK unit: SKNet, Li et al., CVPR 2019, equations 5 and 6.

Every form here is exact. What runs where, and why:

* two branches: the softmax over two numbers is the sigmoid of their difference, so there is no softmax
  and the selection is one interpolation;
* more branches: the softmax runs over the last axis, which every mobile runtime has;
* on a GPU the selection and its gradients are one Triton kernel each (``selection_triton``), like the
  Axpy layer of the authors' Caffe network; elsewhere they are PyTorch's operations.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import is_fake

MAX_KERNEL_BRANCHES = 4
"""Largest number of branches of the Triton kernels; units with more run PyTorch's operations."""


def sum_of(maps: Sequence[Tensor]) -> Tensor:
    """The sum of ``maps``, without a stack, which would copy all of them."""
    total = maps[0]
    for one in maps[1:]:
        total = total + one
    return total


def sum_of_means(maps: Sequence[Tensor]) -> Tensor:
    """The spatial mean of the sum of ``maps`` (eqs. 1 and 2), without forming the sum: (B, C, 1, 1)."""
    return sum_of([branch.mean((2, 3), keepdim=True) for branch in maps])


def branch_weights(logits: Tensor, branches: int, channels: int) -> tuple[Tensor, ...]:
    """The softmax over the branches (eq. 5), channel by channel.

    Args:
        logits: What the select matrices give, (B, M * C, 1, 1), or (B, (M - 1) * C, 1, 1) where the
            matrix of the first branch is left out and its logits are zero.
        branches: M, at least 2.
        channels: C.

    Returns:
        M tensors (B, C, 1, 1), positive, their sum 1.
    """
    rows = torch.split(logits, channels, dim=1)
    if branches == 2:
        second = torch.sigmoid(rows[0] if len(rows) == 1 else rows[1] - rows[0])
        return 1 - second, second
    if len(rows) < branches:
        rows = (torch.zeros_like(rows[0]), *rows)
    return torch.stack(rows, dim=-1).softmax(dim=-1).unbind(dim=-1)


def select(maps: Sequence[Tensor], weights: Sequence[Tensor], *, overwrite: bool = False) -> Tensor:
    """The weighted sum of the branches (eq. 6), differentiable.

    Args:
        maps: M tensors (B, C, H, W).
        weights: M tensors (B, C, 1, 1), their sum 1.
        overwrite: Without gradients, write into the first map, which has no other reader: a new map
            costs more than the operation.

    Returns:
        (B, C, H, W).
    """
    differentiable = torch.is_grad_enabled() and any(t.requires_grad for t in (*maps, *weights))
    kernels = None if differentiable else _kernels(maps)
    if kernels is not None:
        selected: Tensor = kernels.select(maps, weights)
        return selected
    out = maps[0] if overwrite and not differentiable else None
    if len(maps) == 2:
        return torch.lerp(maps[0], maps[1], weights[1], out=out)
    selected = torch.mul(maps[0], weights[0], out=out)
    for branch, weight in zip(maps[1:], weights[1:], strict=True):
        selected = torch.addcmul(selected, branch, weight, out=out)
    return selected


def weight_gradients(maps: Sequence[Tensor], upstream: Tensor) -> list[Tensor]:
    """The gradients of ``select`` with respect to its weights: the spatial sum of upstream * map.

    Args:
        maps: M tensors (B, C, H, W).
        upstream: Gradient of the selected map, (B, C, H, W).

    Returns:
        M tensors (B, C, 1, 1).
    """
    kernels = _kernels(maps)
    if kernels is not None:
        sums: list[Tensor] = kernels.weight_gradients(maps, upstream)
        return sums
    product = torch.empty_like(upstream)
    return [
        torch.mul(upstream, branch, out=product).sum((2, 3), keepdim=True, dtype=_wide(upstream))
        for branch in maps
    ]


def map_gradients(
    maps: Sequence[Tensor],
    weights: Sequence[Tensor],
    upstream: Tensor,
    squeezed: Tensor,
    *,
    act: bool,
) -> list[Tensor]:
    """The gradients of selection and squeeze together with respect to what the branches' ReLUs got.

    Args:
        maps: M tensors (B, C, H, W), what the ReLUs gave, or the maps themselves where there is none.
        weights: M tensors (B, C, 1, 1).
        upstream: Gradient of the selected map, (B, C, H, W).
        squeezed: Gradient of the spatial mean of every branch, divided by the pixels, (B, C, 1, 1).
        act: Whether the branches end in a ReLU.

    Returns:
        M tensors (B, C, H, W): ``upstream * weight + squeezed`` where the ReLU is open, else 0.
    """
    kernels = _kernels(maps)
    if kernels is not None:
        gradients: list[Tensor] = kernels.map_gradients(maps, weights, upstream, squeezed, act=act)
        return gradients
    gradients = []
    for branch, weight in zip(maps, weights, strict=True):
        gradient = torch.addcmul(squeezed, upstream, weight)
        if act:
            # In place: a new map of this size costs more than the operation.
            torch.ops.aten.threshold_backward.grad_input(gradient, branch, 0, grad_input=gradient)
        gradients.append(gradient)
    return gradients


def is_traced() -> bool:
    """Whether a compiler, an exporter or fvcore traces the call; they support plain operations only."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


def _kernels(maps: Sequence[Tensor]) -> ModuleType | None:
    """The Triton kernels if they can run on ``maps``, else None."""
    # Not for tensors without memory, which tracing tools create.
    if not maps[0].is_cuda or len(maps) > MAX_KERNEL_BRANCHES or is_fake(maps[0]):
        return None
    return None if is_traced() else _load_kernels()


@lru_cache(maxsize=1)
def _load_kernels() -> ModuleType | None:
    """The Triton kernels, or None: Triton needs PyTorch for GPUs on Linux, and a C compiler."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or find_spec("triton") is None:
        return None
    return import_module("blocks.units.selection_triton")


def _wide(tensor: Tensor) -> torch.dtype:
    """Sums over many pixels of 16-bit maps are taken in 32 bits."""
    return torch.promote_types(tensor.dtype, torch.float32)
