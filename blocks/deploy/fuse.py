"""From a trained network to the one that is deployed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar, get_args

from torch import nn
from torchvision.models.shufflenetv2 import InvertedResidual, ShuffleNetV2

from blocks.deploy.batch_norm import fold_batch_norms
from blocks.deploy.form import Form
from blocks.deploy.merged import MergedSelectiveKernel
from blocks.deploy.selective_kernel import FusedSelectiveKernel
from blocks.deploy.shuffle_net import ShuffleUnit, flat_shuffle_net
from blocks.errors import InvalidInput
from blocks.units.selective_kernel import SelectiveKernel
from blocks.units.surgery import exchange

M = TypeVar("M", bound=nn.Module)


def fuse(model: nn.Module, form: Form = "pytorch", *, merge: bool = False) -> nn.Module:
    """Rewrite ``model`` for inference; every rewrite is exact up to the rounding of floats.

    * Every BatchNorm that follows a convolution is folded into it.
    * The select matrices of an SK unit with two branches become their difference; with more branches
      their rows are put in the order in which the softmax runs over the last axis.
    * ShuffleNetV2 shuffles its channels in four dimensions and slices instead of splitting, which the
      mobile runtimes have; channels inside its units are padded with zeros to a number that their fast
      kernels take.

    Args:
        model: Of ``blocks.build``, or a module with such units in it. It is left as it is.
        form: Where the network will run, default "pytorch"; every form runs everywhere, not as fast.
        merge: Replace SK units without ReLU in their branches, all depthwise, by one depthwise
            convolution with a kernel a sample. Not for runtimes that need constant weights, which are
            all mobile ones. Off by default: on a CPU it takes 1.7 to 1.9 times as long on the mean of
            many shapes, and is faster for some large batches of large maps (docs/results/sk_unit).

    Returns:
        A copy in evaluation mode, without gradients, that maps the same inputs to the same outputs.

    Raises:
        InvalidInput: An unknown form; a forward pass that depends on the values it computes; an SK unit
            with another norm than BatchNorm with running statistics.
    """
    if form not in get_args(Form):
        raise InvalidInput(f"form: {form!r}; allowed: {', '.join(get_args(Form))}")
    # The model may itself be one of the modules that are replaced.
    holder = nn.Sequential(copy.deepcopy(model).eval().requires_grad_(False))
    fold_batch_norms(holder)
    _rewritten(holder, SelectiveKernel, lambda unit: _deployed(unit, form, merge))
    _rewritten(holder, InvertedResidual, lambda block: ShuffleUnit(block, form))
    _rewritten(holder, ShuffleNetV2, flat_shuffle_net)
    return holder[0].eval().requires_grad_(False)


def _rewritten(holder: nn.Module, kind: type[M], rewrite: Callable[[M], nn.Module]) -> None:
    """Put what ``rewrite`` gives in the place of every module of ``kind``.

    Of this class, or of one made from it that has its forward pass: another computes something else.
    """
    found = [
        module
        for module in holder.modules()
        if isinstance(module, kind) and type(module).forward is kind.forward
    ]
    exchange(holder, {module: rewrite(module) for module in found})


def _deployed(module: SelectiveKernel, form: Form, merge: bool) -> nn.Module:
    fused = FusedSelectiveKernel(module, form)
    if merge and MergedSelectiveKernel.can_merge(fused):
        return MergedSelectiveKernel(fused)
    return fused
