"""Pads channels with zeros to widths that the fast kernels of the runtimes support."""

from __future__ import annotations

import torch
from torch import nn

from blocks.deploy.selective_kernel import FusedSelectiveKernel

BLOCK = 16
"""Block of channels of ONNX Runtime's kernels with AVX-512; it is 8 or 4 with AVX2, NEON, XNNPACK and
ncnn. Other widths take a slow path in ONNX Runtime, and one convolution per channel in ncnn if the
kernel is dilated."""

SMALLER_BLOCK = 8
MOST_PADDING = 1 / 8
"""Largest share of padded channels; more of them cost more than the larger block saves."""


def padded_width(channels: int) -> int:
    """The padded number of channels."""
    wide = -(-channels // BLOCK) * BLOCK
    if wide - channels <= MOST_PADDING * channels:
        return wide
    return -(-channels // SMALLER_BLOCK) * SMALLER_BLOCK


def pad_inner_channels(branch: nn.Sequential) -> nn.Sequential:
    """Widen the layers between the two 1x1 convolutions of ShuffleNetV2's branch.

    The added channels are zero after the first convolution, its ReLU and the depthwise convolution or SK
    unit, and the last convolution multiplies them by zero. The function is the same, with more
    multiply-adds and without the slow paths.

    Args:
        branch: (1x1 convolution, ReLU, depthwise convolution or SK unit, 1x1 convolution, ReLU), the
            BatchNorms folded. Another sequence is not changed.

    Returns:
        A new sequence, or ``branch``.
    """
    layers = [layer for layer in branch.children() if not isinstance(layer, nn.Identity)]
    if len(layers) != 5:
        return branch
    down, act, spatial, up, last = layers
    if not (_is_pointwise(down) and _is_pointwise(up) and isinstance(act, nn.ReLU)):
        return branch
    assert isinstance(down, nn.Conv2d)
    assert isinstance(up, nn.Conv2d)
    width = padded_width(down.out_channels)
    if width == down.out_channels:
        return branch
    if isinstance(spatial, FusedSelectiveKernel) and _is_depthwise(*spatial.convolutions):
        _pad_unit(spatial, width)
    elif isinstance(spatial, nn.Conv2d) and _is_depthwise(spatial):
        spatial = _pad(spatial, width, width)
    else:
        return branch
    return nn.Sequential(
        _pad(down, down.in_channels, width), act, spatial, _pad(up, width, up.out_channels), last
    )


def _pad_unit(unit: FusedSelectiveKernel, width: int) -> None:
    """Widen, in place, every convolution of ``unit`` that reads or writes its channels."""
    for branch, conv in zip(unit.branches, unit.convolutions, strict=True):
        assert isinstance(branch, nn.Sequential)
        branch[0] = _pad(conv, width, width)
    if not unit.attends:
        return
    down = unit.fuse[0]
    assert isinstance(down, nn.Conv2d)
    channels = unit.select.out_channels * width // down.in_channels
    unit.fuse[0] = _pad(down, width, down.out_channels)
    unit.select = _pad(unit.select, unit.select.in_channels, channels)


def _pad(conv: nn.Conv2d, inputs: int, outputs: int) -> nn.Conv2d:
    """``conv`` with zero weights for more inputs and outputs; a depthwise one stays depthwise."""
    groups = outputs if _is_depthwise(conv) else 1
    wide = nn.Conv2d(
        inputs, outputs, conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups,  # type: ignore[arg-type]
        bias=conv.bias is not None, device=conv.weight.device, dtype=conv.weight.dtype,
    )  # fmt: skip
    with torch.no_grad():
        wide.weight.zero_()
        rows, columns = conv.weight.shape[:2]
        wide.weight[:rows, :columns] = conv.weight
        if wide.bias is not None and conv.bias is not None:
            wide.bias.zero_()
            wide.bias[:rows] = conv.bias
    return wide


def _is_pointwise(layer: nn.Module) -> bool:
    return type(layer) is nn.Conv2d and layer.kernel_size == (1, 1) and layer.groups == 1


def _is_depthwise(*convs: nn.Conv2d) -> bool:
    return all(
        conv.groups == conv.in_channels == conv.out_channels > 1 and conv.padding_mode == "zeros"
        for conv in convs
    )
