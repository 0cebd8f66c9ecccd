"""Layers with the statistics of the whole batch, although each process has only a share of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nas.training.rank_info import RankInfo


def share_layers(
    net: nn.Module, rank_info: RankInfo, batch_images: int, device: torch.device
) -> nn.Module:
    """``net`` with BatchNorms and Dropouts that train as in a single process.

    Changed in place; names, weights and statistics stay as they are.

    Args:
        net: Without BatchNorms other than of maps.
        rank_info: The rank of this process.
        batch_images: Images in the batch of all processes.
        device: Where it is going to be trained.
    """
    if device.type != "cpu":
        # Lightning's sync_batchnorm is this very call.
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for module in list(net.modules()):
        for name, layer in module.named_children():
            if type(layer) is nn.BatchNorm2d:
                setattr(module, name, SyncedBatchNorm.of(layer))
            elif type(layer) is nn.Dropout:
                setattr(module, name, SharedDropout(layer.p, rank_info, batch_images))
    return net


class SyncedBatchNorm(nn.BatchNorm2d):
    """BatchNorm over the maps of all processes, for CPUs: torch's own knows GPUs only."""

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> SyncedBatchNorm:
        """``norm`` over all processes, with its weights and statistics."""
        synced = cls(
            norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        )
        synced.weight, synced.bias = norm.weight, norm.bias
        synced.running_mean, synced.running_var = norm.running_mean, norm.running_var
        synced.num_batches_tracked = norm.num_batches_tracked
        return synced

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input`` (B, C, H, W), in training by the statistics of all processes' maps."""
        if not self.training:
            return super().forward(input)
        maps = input.to(torch.promote_types(input.dtype, torch.float32))
        mean, variance, count = _statistics(maps)
        self._track(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        shape = (1, -1, 1, 1)
        return torch.addcmul(shift.view(shape), maps, scale.view(shape)).to(input.dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def _statistics(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance of each channel, (C,), over all processes, and of how many values."""
    here = maps.numel() / maps.shape[1]
    mean = maps.mean((0, 2, 3))
    spread = (maps - mean.view(1, -1, 1, 1)).square().sum((0, 2, 3))
    # Doubles, for the squares of means are taken away again below.
    mean = mean.double()
    moments = [mean * here, spread.double() + mean.square() * here, mean.new_full((1,), here)]
    total = _sum_over_processes(torch.cat(moments))
    sums, squares, count = torch.split(total, [len(mean), len(mean), 1])
    mean = sums / count
    variance = (squares / count - mean.square()).clamp_min(0)
    return mean.to(maps.dtype), variance.to(maps.dtype), count.detach().to(maps.dtype)


def _sum_over_processes(tensor: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(tensor)
    return total


class _Sum(torch.autograd.Function):
    """The sum of what all processes have; what they do with it comes back as a sum, too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total


class SharedDropout(nn.Dropout):
    """Dropout that draws for the whole batch, as one process would, and takes its rows of that.

    All processes draw the same numbers, so their generators stay alike.

    Args:
        p: Share of the values that are dropped.
        rank_info: The rank of this process.
        batch_images: Images in the batch of all processes.
    """

    def __init__(self, p: float, rank_info: RankInfo, batch_images: int) -> None:
        super().__init__(p)
        self._batch_images = batch_images
        self._first = batch_images * rank_info.rank // rank_info.processes

    def forward(self, input: Tensor) -> Tensor:
        """Drop values of ``input`` (B, ...), whose rows are a share of the batch."""
        if not self.training:
            return input
        whole = input.new_ones((self._batch_images, *input.shape[1:]))
        drawn = nn.functional.dropout(whole, self.p)
        return input * drawn[self._first : self._first + len(input)]
