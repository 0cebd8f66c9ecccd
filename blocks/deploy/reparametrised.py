"""Convolutions with further branches in training, which one convolution holds exactly afterwards."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from blocks.deploy.batch_norm import conv_norm_paths
from blocks.units.depthwise import BranchConv2d
from blocks.units.selective_kernel import SelectiveKernel
from blocks.units.surgery import exchange


class ReparametrisedConv(nn.Module):
    """A spatial convolution and its BatchNorm, with branches beside them in training.

    The branches are those of RepVGG (Ding et al., CVPR 2021) and MobileOne (Vasu et al., CVPR 2023): a
    1x1 convolution with a BatchNorm and, where input and output have the same shape, a BatchNorm alone;
    beside kernels above 3x3 also a 3x3 kernel (RepLKNet, Ding et al., CVPR 2022). The scales of the
    further BatchNorms start at zero, so that the network starts as without them, pretrained or not.

    Shapes:
        input (B, C_in, H, W) -> output (B, C_out, H', W'), as the convolution.

    Args:
        conv: For which ``can_reparametrise`` holds. It becomes part of this module.
        norm: The BatchNorm behind it. It becomes part of this module.
        norm_path: Where ``merge_branches`` puts the BatchNorm back.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> conv, norm = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(4)
        >>> branched = ReparametrisedConv(conv, norm).eval()
        >>> x = torch.randn(1, 4, 8, 8)
        >>> expected = branched(x)
        >>> torch.allclose(nn.Sequential(*branched.merged()).eval()(x), expected, atol=1e-5)
        True
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, norm_path: str = "") -> None:
        super().__init__()
        self.conv, self.norm, self.norm_path = conv, norm, norm_path
        sides = [1, 3] if conv.kernel_size[0] > 3 else [1]
        self.smaller = nn.ModuleList(
            nn.Sequential(_smaller(conv, side), _further(norm)) for side in sides
        )
        same = conv.stride == (1, 1) and conv.in_channels == conv.out_channels
        self.identity = _further(norm) if same else None
        self.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of all branches of ``x`` (B, C_in, H, W)."""
        y: Tensor = self.norm(self.conv(x))
        for branch in self.smaller:
            y = y + branch(x)
        return y if self.identity is None else y + self.identity(x)

    @torch.no_grad()
    def merged(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """The convolution and the BatchNorm of before, which alone do the same in evaluation mode."""
        kernel, bias = _scaled(self.conv.weight, self.norm)
        side = self.conv.kernel_size[0]
        for branch in self.smaller:
            conv, norm = branch.children()
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            own, own_bias = _scaled(conv.weight, norm)
            kernel += pad(own, ((side - conv.kernel_size[0]) // 2,) * 4)
            bias += own_bias
        if self.identity is not None:
            own, own_bias = _scaled(_identity(self.conv), self.identity)
            kernel += pad(own, (side // 2,) * 4)
            bias += own_bias
        # The variance of the BatchNorm stays what it was, so that its figures keep their meaning.
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        deviation = torch.sqrt(norm.running_var.double() + norm.eps)
        self.conv.weight.copy_(kernel * deviation[:, None, None, None])
        norm.weight.fill_(1.0)
        norm.bias.copy_(bias)
        norm.running_mean.zero_()
        return self.conv, norm


def can_reparametrise(conv: nn.Module, norm: nn.Module) -> bool:
    """Whether ``conv`` has a kernel with a middle over each output, and ``norm`` running statistics."""
    return (
        type(conv) in (nn.Conv2d, BranchConv2d)
        and type(norm) is nn.BatchNorm2d
        and norm.affine
        and norm.track_running_stats
        and isinstance(conv, nn.Conv2d)
        and conv.bias is None
        and conv.padding_mode == "zeros"
        and conv.kernel_size[0] == conv.kernel_size[1] > 1
        and conv.kernel_size[0] % 2 == 1
        and conv.dilation[0] == conv.dilation[1]
        and conv.padding == (conv.dilation[0] * (conv.kernel_size[0] // 2),) * 2
    )


def reparametrise(net: nn.Module) -> nn.Module:
    """Give every spatial convolution of ``net`` with a BatchNorm its branches, in place.

    Args:
        net: A network of ``blocks.build``.

    Returns:
        ``net``, which computes what it did before.
    """
    for conv_path, norm_path in _paths(net):
        conv, norm = net.get_submodule(conv_path), net.get_submodule(norm_path)
        if can_reparametrise(conv, norm):
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            branched = ReparametrisedConv(conv, norm, norm_path)
            exchange(net, {conv: branched, norm: nn.Identity()})
    return net


def merge_branches(net: nn.Module) -> nn.Module:
    """Undo ``reparametrise``, in place: the former layers, whose weights hold the branches.

    Args:
        net: A network that was given branches.

    Returns:
        ``net``, in evaluation mode; its outputs are those of before up to rounding.
    """
    for module in [one for one in net.modules() if isinstance(one, ReparametrisedConv)]:
        conv, norm = module.merged()
        exchange(net, {module: conv, net.get_submodule(module.norm_path): norm})
    return net.eval()


def _paths(net: nn.Module) -> list[tuple[str, str]]:
    """Convolutions and the BatchNorms behind them, those of the branches of SK units as well."""
    branches = [
        f"{name}.branches.{place}"
        for name, unit in net.named_modules()
        if isinstance(unit, SelectiveKernel)
        for place in range(len(unit.branches))
    ]
    return conv_norm_paths(net) + [(f"{one}.0", f"{one}.1") for one in branches]


def _smaller(conv: nn.Conv2d, side: int) -> nn.Conv2d:
    return type(conv)(
        conv.in_channels,
        conv.out_channels,
        side,
        stride=conv.stride[0],
        padding=conv.dilation[0] * (side // 2),
        dilation=conv.dilation[0],
        groups=conv.groups,
        bias=False,
    )


def _further(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """A BatchNorm as ``norm`` that begins with zeros."""
    made = nn.BatchNorm2d(norm.num_features, norm.eps, norm.momentum)
    nn.init.zeros_(made.weight)
    return made


def _identity(conv: nn.Conv2d) -> Tensor:
    """The identity as a kernel (C, C / groups, 1, 1) of the groups of ``conv``."""
    width = conv.in_channels // conv.groups
    kernel = torch.zeros(conv.out_channels, width, 1, 1, device=conv.weight.device)
    channels = torch.arange(conv.out_channels)
    kernel[channels, channels % width] = 1
    return kernel


def _scaled(kernel: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Kernel and bias in float64 that do what ``kernel`` and ``norm`` do."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return kernel.double() * scale[:, None, None, None], bias
