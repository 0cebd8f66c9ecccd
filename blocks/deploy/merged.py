"""An SK unit with linear branches as one depthwise convolution with one kernel per sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks.deploy.selective_kernel import FusedSelectiveKernel
from blocks.units.depthwise import spread_kernel


class MergedSelectiveKernel(nn.Module):
    """The same function as a FusedSelectiveKernel, without running the branches.

    Branch m is a convolution with kernel ``w_m`` and bias ``b_m``. Without a ReLU behind it both the
    squeeze and the selection are linear in the branches, so with ``E(w)`` the kernel embedded in the
    middle of the largest one,

        sum_m a_m (w_m * x + b_m) = (sum_m a_m E(w_m)) * x + sum_m a_m b_m,
        mean(sum_m (w_m * x + b_m)) = <sum_m E(w_m), S> / pixels + sum_m b_m,

    where S (K x K a channel) holds the sums of x over the window that each tap of the kernel sees. The
    embedding is UniRepLKNet's (Ding et al., CVPR 2024), the kernel a sample CondConv's (Yang et al.,
    NeurIPS 2019).

    Shapes:
        input (B, C, H, W), B at least 1 -> output as the unit. A trace of it holds for its own B only.

    Args:
        unit: An SK unit for which ``can_merge`` holds.
    """

    def __init__(self, unit: FusedSelectiveKernel) -> None:
        super().__init__()
        self.unit = unit
        convs = unit.convolutions
        sides = [(conv.kernel_size[0] - 1) * conv.dilation[0] + 1 for conv in convs]
        self.side, self.stride = max(sides), convs[0].stride[0]
        kernels = []
        for conv, side in zip(convs, sides, strict=True):
            margin = (self.side - side) // 2
            dense = spread_kernel(conv.weight, conv.dilation[0])[:, 0]
            kernels.append(nn.functional.pad(dense, (margin,) * 4))
        biases = [conv.bias for conv in convs]
        self.kernels: Tensor
        self.biases: Tensor
        self.register_buffer("kernels", torch.stack(kernels))  # (M, C, K, K)
        self.register_buffer("biases", torch.stack([bias for bias in biases if bias is not None]))

    @staticmethod
    def can_merge(unit: FusedSelectiveKernel) -> bool:
        """Whether ``unit`` attends and its branches are depthwise, fully zero-padded, without ReLU."""
        linear = all(len(list(branch.children())) == 1 for branch in unit.branches)
        depthwise = all(
            conv.groups == conv.in_channels
            and conv.padding_mode == "zeros"
            and conv.padding[0] == conv.dilation[0] * (conv.kernel_size[0] // 2)
            for conv in unit.convolutions
        )
        return unit.attends and linear and depthwise

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit to ``x`` (B, C, H, W)."""
        batch, channels, height, width = x.shape
        sums, pixels = self.window_sums(x)
        mean = (self.kernels.sum(0) * sums).sum((2, 3)) / pixels + self.biases.sum(0)
        weights = torch.stack(self.unit.attend(mean[:, :, None, None]))[..., 0, 0]  # (M, B, C)
        kernels = torch.einsum("mbc,mcij->bcij", weights, self.kernels)
        biases = torch.einsum("mbc,mc->bc", weights, self.biases)
        merged = nn.functional.conv2d(
            x.reshape(1, batch * channels, height, width),
            kernels.reshape(batch * channels, 1, self.side, self.side),
            biases.flatten(),
            stride=self.stride,
            padding=self.side // 2,
            groups=batch * channels,
        )
        return merged.view(batch, channels, *merged.shape[2:])

    def window_sums(self, x: Tensor) -> tuple[Tensor, int]:
        """Sums of ``x`` over the window of each tap, (B, C, K, K), and the number of output pixels."""
        rows, columns = (self._windows(size, x) for size in x.shape[2:])
        return rows @ x @ columns.T, self._outputs(x.shape[2]) * self._outputs(x.shape[3])

    def _windows(self, size: int, like: Tensor) -> Tensor:
        """(K, size): 1 if tap k reads position i for some output, else 0."""
        first = torch.arange(self._outputs(size), device=like.device) * self.stride
        taps = torch.arange(self.side, device=like.device) - self.side // 2
        positions = taps[:, None] + first
        inside = (positions >= 0) & (positions < size)
        windows = like.new_zeros(self.side, size)
        # Each position of a tap belongs to one output only; only positions outside are written twice.
        return windows.scatter_add_(1, positions.clamp(0, size - 1), inside.to(like.dtype))

    def _outputs(self, size: int) -> int:
        return -(-size // self.stride)
