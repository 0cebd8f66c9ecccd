"""A convolution and the BatchNorm behind it as one convolution."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from blocks.errors import InvalidInput


def can_fold(conv: nn.Module, norm: nn.Module) -> bool:
    """Whether ``norm`` is a BatchNorm with running statistics, of any kind, and ``conv`` a Conv2d."""
    return (
        isinstance(conv, nn.Conv2d)
        and isinstance(norm, _BatchNorm)
        and norm.running_mean is not None
    )


def fold(conv: nn.Module, norm: nn.Module) -> nn.Conv2d:
    """``norm(conv(x))`` of evaluation mode as one convolution with a bias; both are left as they are.

    Raises:
        InvalidInput: Not a Conv2d and a BatchNorm with running statistics.
    """
    if not can_fold(conv, norm):
        raise InvalidInput(
            f"{type(norm).__name__} behind {type(conv).__name__}: cannot be folded; allowed: a "
            "BatchNorm with running statistics behind a Conv2d"
        )
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, _BatchNorm)
    return fuse_conv_bn_eval(conv.eval(), norm.eval())
