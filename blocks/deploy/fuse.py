"""Rewrites a trained network for deployment."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar, get_args

from torch import nn
from torchvision.models.shufflenetv2 import InvertedResidual, ShuffleNetV2

from blocks.backbones.efficientnet_lite import Offset
from blocks.deploy.batch_norm import fold_batch_norms
from blocks.deploy.form import Form
from blocks.deploy.merged import MergedSelectiveKernel
from blocks.deploy.selective_kernel import FusedSelectiveKernel
from blocks.deploy.shuffle_net import ShuffleUnit, flat_shuffle_net
from blocks.deploy.summed import one_convolution
from blocks.errors import InvalidInput
from blocks.units.selective_kernel import SelectiveKernel
from blocks.units.surgery import exchange

LARGEST_MERGED: Mapping[Form, int] = MappingProxyType({"graph": 5, "ncnn": 5})
"""Side of the largest kernel that is no slower than branches that have fewer weights together.

Measured (docs/results/merged_branches): 5x5 takes 0.90 to 1.00 of the time there, 7x7 up to 4 times."""

M = TypeVar("M", bound=nn.Module)


def fuse(model: nn.Module, form: Form = "pytorch", *, merge: bool = False) -> nn.Module:
    """Rewrite ``model`` for inference; every rewrite is exact up to floating-point rounding.

    * Every BatchNorm that follows a convolution is folded into it.
    * The select matrices of an SK unit with two branches become their difference. With more branches
      their rows are reordered so that the softmax runs over the last axis.
    * SK units that sum branches without ReLU and attention become one convolution, where its kernel has
      no more weights than the branches, or is faster all the same.
    * ShuffleNetV2 shuffles its channels in four dimensions, and slices instead of splitting, as mobile
      runtimes need it. Channels inside its units are padded with zeros to a number that is fast there.

    Args:
        model: A network of ``blocks.build``, or a module with such units in it. It is not changed.
        form: The kind of runtime, default "pytorch". Every form runs in every runtime, but slower.
        merge: Replace SK units whose branches are depthwise and have no ReLU by one depthwise
            convolution with one kernel per sample. Mobile runtimes need constant weights and cannot run
            it. Off by default: on a CPU it takes 1.7 to 1.9 times as long on the mean of many shapes,
            and is faster for some large batches of large maps (docs/results/sk_unit).

    Returns:
        A copy in evaluation mode, without gradients, that maps the same inputs to the same outputs.

    Raises:
        InvalidInput: The form is unknown, the forward pass depends on the values it computes, or an SK
            unit has another norm than a BatchNorm with running statistics.
    """
    if form not in get_args(Form):
        raise InvalidInput(f"form: {form!r}; allowed: {', '.join(get_args(Form))}")
    # The model itself may be one of the replaced modules.
    holder = nn.Sequential(copy.deepcopy(model).eval().requires_grad_(False))
    fold_batch_norms(holder)
    _rewritten(holder, SelectiveKernel, lambda unit: _deployed(unit, form, merge))
    _rewritten(holder, Offset, lambda offset: offset if offset.value.any() else nn.Identity())
    _rewritten(holder, InvertedResidual, lambda block: ShuffleUnit(block, form))
    _rewritten(holder, ShuffleNetV2, lambda model: flat_shuffle_net(model, form))
    return holder[0].eval().requires_grad_(False)


def _rewritten(holder: nn.Module, kind: type[M], rewrite: Callable[[M], nn.Module]) -> None:
    """Replace every module of ``kind`` by the result of ``rewrite``.

    A subclass is replaced only if it has the same forward pass.
    """
    found = [
        module
        for module in holder.modules()
        if isinstance(module, kind) and type(module).forward is kind.forward
    ]
    exchange(holder, {module: rewrite(module) for module in found})


def _deployed(module: SelectiveKernel, form: Form, merge: bool) -> nn.Module:
    fused = FusedSelectiveKernel(module, form)
    one = one_convolution(fused, LARGEST_MERGED.get(form, 0))
    if one is not None:
        return one
    if merge and MergedSelectiveKernel.can_merge(fused):
        return MergedSelectiveKernel(fused)
    return fused
