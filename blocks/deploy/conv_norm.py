"""Folds a convolution and the BatchNorm after it into one convolution."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from blocks.errors import InvalidInput
from blocks.units.depthwise import BranchConv2d

CONVS = (nn.Conv2d, BranchConv2d)
NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)
"""The exact classes: a subclass may compute something else."""


def is_plain(module: nn.Module) -> bool:
    """Whether the class alone determines what the module computes: it has no hooks."""
    return not (module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


def can_fold(conv: nn.Module, norm: nn.Module) -> bool:
    """Whether ``norm`` is a BatchNorm with running statistics and ``conv`` a Conv2d, both unchanged."""
    kinds = type(conv) in CONVS and type(norm) in NORMS
    return kinds and norm.running_mean is not None and is_plain(conv) and is_plain(norm)


def fold(conv: nn.Module, norm: nn.Module) -> nn.Conv2d:
    """``norm(conv(x))`` in evaluation mode as one convolution with a bias; both modules are unchanged.

    Raises:
        InvalidInput: Not a Conv2d and a BatchNorm with running statistics.
    """
    if not can_fold(conv, norm):
        raise InvalidInput(
            f"{type(norm).__name__} behind {type(conv).__name__}: cannot be folded; allowed: a "
            "BatchNorm with running statistics behind a Conv2d, without hooks"
        )
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, (nn.BatchNorm2d, nn.SyncBatchNorm))
    return fuse_conv_bn_eval(copy.deepcopy(conv).eval(), copy.deepcopy(norm).eval())
