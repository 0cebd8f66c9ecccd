"""The selection of ``blocks.units.selection`` and its gradients on a GPU, one launch each.

Every input map is read once and every output map is written once; PyTorch's operations read and write
their results again for each branch.

A program handles a tile of channels by pixels of one batch element, and the weights of its channels.
Height and width are one axis in both memory layouts, and a tile is long along the axis of stride 1, so
that neighbouring threads read neighbouring elements. There are no atomic additions and no
machine-dependent constants: two runs give the same bits.

Maps of 16 and 32 bits are computed with in 32 bits, maps of 64 bits in 64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

MAP_TILE = 1024
"""Elements of a tile of written maps: eight for each of 128 threads, 16 bytes of bfloat16."""

SUM_TILE = 2048
"""Elements of a tile of summed maps: more, since a program reads its tiles in turn."""

jit: Callable[[Callable[..., Any]], Any] = triton.jit
"""Triton has no types; this alias gives types to the functions that it decorates."""


class Layout(NamedTuple):
    """The memory layout of equal maps, with height and width as one axis."""

    batch: int
    channels: int
    pixels: int
    channels_last: bool

    @property
    def strides(self) -> tuple[int, int, int]:
        """Strides of the batch, the channels and the pixels, in elements."""
        inner = (1, self.channels) if self.channels_last else (self.pixels, 1)
        return self.channels * self.pixels, *inner


def select(maps: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The weighted sum of the branches (eq. 6), not differentiable.

    Args:
        maps: M tensors (B, C, H, W), 2 to 4.
        weights: M tensors (B, C, 1, 1), their sum 1.

    Returns:
        (B, C, H, W), laid out and of the type of the first map.
    """
    layout, maps = _laid_out(maps)
    selected = torch.empty_like(maps[0])
    block_c, block_p = tile(layout, numbers=MAP_TILE, run=128)
    with _on(selected):
        _select_kernel[(_tiles(layout, block_c, block_p),)](
            selected,
            *_four(maps),
            *_four([weight.contiguous() for weight in weights]),
            layout.channels,
            layout.pixels,
            *layout.strides,
            branches=len(maps),
            wide=_wide(selected),
            block_c=block_c,
            block_p=block_p,
        )
    return selected


def weight_gradients(maps: Sequence[Tensor], upstream: Tensor) -> list[Tensor]:
    """The gradients of ``select`` with respect to its weights: the spatial sum of upstream * map.

    Args:
        maps: M tensors (B, C, H, W), 2 to 4.
        upstream: Gradient of the selected map, (B, C, H, W).

    Returns:
        M tensors (B, C, 1, 1), float32, or float64 where the maps are.
    """
    layout, (upstream, *maps) = _laid_out([*maps, upstream], last_first=True)
    wide = torch.promote_types(maps[0].dtype, torch.float32)
    sums = [
        torch.empty(layout.batch, layout.channels, 1, 1, dtype=wide, device=upstream.device)
        for _ in maps
    ]
    # Rows of pixels may be long. Blocks of channels are short: in this layout they alone make programs.
    block_c, block_p = tile(layout, numbers=SUM_TILE, run=64 if layout.channels_last else 512)
    with _on(upstream):
        _weight_gradients_kernel[(layout.batch * triton.cdiv(layout.channels, block_c),)](
            *_four(sums),
            *_four(maps),
            upstream,
            layout.channels,
            layout.pixels,
            *layout.strides,
            branches=len(maps),
            wide=_wide(maps[0]),
            block_c=block_c,
            block_p=block_p,
        )
    return sums


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
        maps: M tensors (B, C, H, W), 2 to 4, what the ReLUs gave, or the maps themselves where there is
            none; then they are not read.
        weights: M tensors (B, C, 1, 1).
        upstream: Gradient of the selected map, (B, C, H, W).
        squeezed: Gradient of the spatial mean of every branch, divided by the pixels, (B, C, 1, 1).
        act: Whether the branches end in a ReLU.

    Returns:
        M tensors (B, C, H, W), laid out and of the type of the first map:
        ``upstream * weight + squeezed`` where the ReLU is open, else 0.
    """
    read = maps if act else maps[:1]
    layout, (upstream, *read) = _laid_out([*read, upstream], last_first=True)
    gradients = [torch.empty_like(read[0]) for _ in maps]
    block_c, block_p = tile(layout, numbers=MAP_TILE, run=128)
    with _on(upstream):
        _map_gradients_kernel[(_tiles(layout, block_c, block_p),)](
            *_four(gradients),
            *_four(read),
            *_four([weight.contiguous() for weight in weights]),
            upstream,
            squeezed.contiguous(),
            layout.channels,
            layout.pixels,
            *layout.strides,
            branches=len(maps),
            act=act,
            wide=_wide(read[0]),
            block_c=block_c,
            block_p=block_p,
        )
    return gradients


def tile(layout: Layout, *, numbers: int, run: int) -> tuple[int, int]:
    """The channels and pixels of a program's tile, powers of two.

    Args:
        layout: Of the maps.
        numbers: Numbers of the tile, at most.
        run: Neighbouring numbers of the tile along the axis of stride 1, at most. Longer runs leave more
            of the last tile empty.

    Returns:
        (channels, pixels).
    """
    near, far = layout.pixels, layout.channels
    if layout.channels_last:
        near, far = far, near
    along = min(_power_of_two(near), run)
    across = min(_power_of_two(far), numbers // along)
    return (along, across) if layout.channels_last else (across, along)


def _power_of_two(number: int) -> int:
    """The smallest power of two that is at least ``number``."""
    return 1 << max(number - 1, 0).bit_length()


def _tiles(layout: Layout, block_c: int, block_p: int) -> int:
    """Tiles that cover the maps."""
    of_an_image = triton.cdiv(layout.channels, block_c) * triton.cdiv(layout.pixels, block_p)
    return int(layout.batch * of_an_image)


def _laid_out(
    tensors: Sequence[Tensor], *, last_first: bool = False
) -> tuple[Layout, list[Tensor]]:
    """The layout of the first tensor, and all of them in it.

    Args:
        tensors: (B, C, H, W) each. Those laid out otherwise are copied: an upstream gradient may be
            expanded from a single number.
        last_first: Whether to give the last tensor back first.
    """
    first = tensors[0]
    batch, channels, height, width = first.shape
    # A map of one channel or one pixel has both layouts, and both have the same strides then.
    channels_last = not first.is_contiguous() and first.stride(1) == 1
    memory = torch.channels_last if channels_last else torch.contiguous_format
    same = [tensor.contiguous(memory_format=memory) for tensor in tensors]
    if last_first:
        same = [same[-1], *same[:-1]]
    return Layout(batch, channels, height * width, channels_last), same


def _four(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Arguments of a kernel, which always has four of each and ignores those beyond M."""
    return (*tensors, *[tensors[0]] * (4 - len(tensors)))


def _wide(tensor: Tensor) -> Any:
    """The type of the computation."""
    return tl.float64 if tensor.dtype == torch.float64 else tl.float32


def _on(tensor: Tensor) -> AbstractContextManager[object]:
    """Make the device of the arguments current: Triton launches on the current device."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


@jit
def _place(
    channels: tl.tensor, pixels: tl.tensor,
    stride_b: tl.tensor, stride_c: tl.tensor, stride_p: tl.tensor,
    block_c: tl.constexpr, block_p: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor]:  # fmt: skip
    """This program's tile where maps are written; the tiles of a row of pixels follow each other.

    Returns:
        Offsets of its numbers and which of them exist, (block_c, block_p); offsets of its weights and
        which of them exist, (block_c,).
    """
    along = (pixels + block_p - 1) // block_p
    across = (channels + block_c - 1) // block_c
    program = tl.program_id(0)
    batch = program // along // across
    first_c = program // along % across * block_c
    first_p = program % along * block_p
    c, p = tl.arange(0, block_c), tl.arange(0, block_p)
    # All maps together may have more than 2^31 elements; a tile spans far fewer.
    start = batch.to(tl.int64) * stride_b
    start += first_c.to(tl.int64) * stride_c + first_p.to(tl.int64) * stride_p
    at = start + (c[:, None] * stride_c + p[None, :] * stride_p)
    real = first_c + c < channels
    inside = real[:, None] & (first_p + p < pixels)[None, :]
    return at, inside, batch * channels + first_c + c, real


@jit
def _weighted(
    branch: tl.tensor,
    weight: tl.tensor,
    at: tl.tensor,
    inside: tl.tensor,
    row: tl.tensor,
    real: tl.tensor,
    wide: tl.constexpr,
) -> tl.tensor:
    """A tile of a branch times the weights of its channels."""
    numbers = tl.load(branch + at, mask=inside).to(wide)
    return numbers * tl.load(weight + row, mask=real).to(wide)[:, None]


@jit
def _select_kernel(
    selected: tl.tensor,
    map_0: tl.tensor, map_1: tl.tensor, map_2: tl.tensor, map_3: tl.tensor,
    weight_0: tl.tensor, weight_1: tl.tensor, weight_2: tl.tensor, weight_3: tl.tensor,
    channels: tl.tensor, pixels: tl.tensor,
    stride_b: tl.tensor, stride_c: tl.tensor, stride_p: tl.tensor,
    branches: tl.constexpr, wide: tl.constexpr, block_c: tl.constexpr, block_p: tl.constexpr,
) -> None:  # fmt: skip
    at, inside, row, real = _place(channels, pixels, stride_b, stride_c, stride_p, block_c, block_p)
    if branches == 2:
        # As PyTorch's lerp: an interpolation from the nearer end gives either end exactly.
        weight = tl.load(weight_1 + row, mask=real).to(wide)[:, None]
        one = tl.load(map_0 + at, mask=inside).to(wide)
        other = tl.load(map_1 + at, mask=inside).to(wide)
        step = other - one
        total = tl.where(weight < 0.5, one + weight * step, other - (1 - weight) * step)
    else:
        total = _weighted(map_0, weight_0, at, inside, row, real, wide)
        total += _weighted(map_1, weight_1, at, inside, row, real, wide)
        total += _weighted(map_2, weight_2, at, inside, row, real, wide)
        if branches == 4:
            total += _weighted(map_3, weight_3, at, inside, row, real, wide)
    tl.store(selected + at, total.to(selected.dtype.element_ty), mask=inside)


@jit
def _weight_gradients_kernel(
    sum_0: tl.tensor, sum_1: tl.tensor, sum_2: tl.tensor, sum_3: tl.tensor,
    map_0: tl.tensor, map_1: tl.tensor, map_2: tl.tensor, map_3: tl.tensor,
    upstream: tl.tensor,
    channels: tl.tensor, pixels: tl.tensor,
    stride_b: tl.tensor, stride_c: tl.tensor, stride_p: tl.tensor,
    branches: tl.constexpr, wide: tl.constexpr, block_c: tl.constexpr, block_p: tl.constexpr,
) -> None:  # fmt: skip
    across = (channels + block_c - 1) // block_c
    batch, first_c = tl.program_id(0) // across, tl.program_id(0) % across * block_c
    c, p = tl.arange(0, block_c), tl.arange(0, block_p)
    real = first_c + c < channels
    at = c[:, None] * stride_c + p[None, :] * stride_p
    start = batch.to(tl.int64) * stride_b + first_c.to(tl.int64) * stride_c
    # One sum per position of the tile, added at the end: short sums are more accurate.
    total_0 = tl.full((block_c, block_p), 0, wide)
    total_1 = tl.full((block_c, block_p), 0, wide)
    total_2 = tl.full((block_c, block_p), 0, wide)
    total_3 = tl.full((block_c, block_p), 0, wide)
    for first_p in range(0, pixels, block_p):
        inside = real[:, None] & (first_p + p < pixels)[None, :]
        pull = tl.load(upstream + start + at, mask=inside, other=0).to(wide)
        total_0 += pull * tl.load(map_0 + start + at, mask=inside, other=0).to(wide)
        total_1 += pull * tl.load(map_1 + start + at, mask=inside, other=0).to(wide)
        if branches > 2:
            total_2 += pull * tl.load(map_2 + start + at, mask=inside, other=0).to(wide)
        if branches > 3:
            total_3 += pull * tl.load(map_3 + start + at, mask=inside, other=0).to(wide)
        start += block_p * stride_p
    row = batch * channels + first_c + c
    tl.store(sum_0 + row, tl.sum(total_0, axis=1), mask=real)
    tl.store(sum_1 + row, tl.sum(total_1, axis=1), mask=real)
    if branches > 2:
        tl.store(sum_2 + row, tl.sum(total_2, axis=1), mask=real)
    if branches > 3:
        tl.store(sum_3 + row, tl.sum(total_3, axis=1), mask=real)


@jit
def _map_gradient(
    gradient: tl.tensor,
    branch: tl.tensor,
    pull: tl.tensor,
    weight: tl.tensor,
    shared: tl.tensor,
    at: tl.tensor,
    inside: tl.tensor,
    act: tl.constexpr,
) -> None:
    """Write a tile of the gradient of one branch."""
    numbers = pull * weight[:, None] + shared[:, None]
    if act:
        # This comparison passes on the gradient of a NaN, as in PyTorch.
        numbers = tl.where(tl.load(branch + at, mask=inside) <= 0, 0, numbers)
    tl.store(gradient + at, numbers.to(gradient.dtype.element_ty), mask=inside)


@jit
def _map_gradients_kernel(
    gradient_0: tl.tensor, gradient_1: tl.tensor, gradient_2: tl.tensor, gradient_3: tl.tensor,
    map_0: tl.tensor, map_1: tl.tensor, map_2: tl.tensor, map_3: tl.tensor,
    weight_0: tl.tensor, weight_1: tl.tensor, weight_2: tl.tensor, weight_3: tl.tensor,
    upstream: tl.tensor, squeezed: tl.tensor,
    channels: tl.tensor, pixels: tl.tensor,
    stride_b: tl.tensor, stride_c: tl.tensor, stride_p: tl.tensor,
    branches: tl.constexpr, act: tl.constexpr, wide: tl.constexpr,
    block_c: tl.constexpr, block_p: tl.constexpr,
) -> None:  # fmt: skip
    at, inside, row, real = _place(channels, pixels, stride_b, stride_c, stride_p, block_c, block_p)
    pull = tl.load(upstream + at, mask=inside).to(wide)
    shared = tl.load(squeezed + row, mask=real).to(wide)
    weight = tl.load(weight_0 + row, mask=real).to(wide)
    _map_gradient(gradient_0, map_0, pull, weight, shared, at, inside, act)
    weight = tl.load(weight_1 + row, mask=real).to(wide)
    _map_gradient(gradient_1, map_1, pull, weight, shared, at, inside, act)
    if branches > 2:
        weight = tl.load(weight_2 + row, mask=real).to(wide)
        _map_gradient(gradient_2, map_2, pull, weight, shared, at, inside, act)
    if branches > 3:
        weight = tl.load(weight_3 + row, mask=real).to(wide)
        _map_gradient(gradient_3, map_3, pull, weight, shared, at, inside, act)
