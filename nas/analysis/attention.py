"""Records the attention of the units of a network for each image at several object scales."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from blocks.units.selection import branch_weights
from nas.analysis.scales import enlarge
from nas.analysis.units import SkUnit
from nas.errors import WorkFailed


@dataclass(frozen=True)
class UnitAttention:
    """The attention of one unit over N images at S scales.

    Attributes:
        unit: The unit, of M branches and C channels.
        branches: float64 (S, N, M), means over the channels; they sum to 1 over M.
        channels: float64 (S, C), means over the images of the weight of the largest kernel.
    """

    unit: SkUnit
    branches: NDArray[np.float64]
    channels: NDArray[np.float64]

    @property
    def difference(self) -> NDArray[np.float64]:
        """float64 (S, N): weight of the largest kernel minus that of the smallest one.

        This is the ordinate of the paper's Figures 3 (right) and 4. With two branches it is
        2 * mean(a of the larger) - 1; branches between the two have no effect.
        """
        larger, smaller = self.unit.larger, self.unit.smaller
        difference: NDArray[np.float64] = self.branches[..., larger] - self.branches[..., smaller]
        return difference


@dataclass(frozen=True)
class Attention:
    """The attention of all units.

    Attributes:
        scales: S scales, ascending, the first is 1.
        labels: int64 (N,), classes of the images.
        units: In forward order.
    """

    scales: tuple[float, ...]
    labels: NDArray[np.int64]
    units: tuple[UnitAttention, ...]


@torch.inference_mode()
def collect(
    model: nn.Module,
    units: tuple[SkUnit, ...],
    batches: Iterable[tuple[Tensor, Tensor]],
    scales: tuple[float, ...],
    limit: int | None = None,
) -> Attention:
    """Run ``model`` on every image at every scale and keep the attention.

    Only means are kept: the weights of all channels would fill the memory on large data sets.

    Args:
        model: The network in evaluation mode.
        units: The units of the model.
        batches: Images (B, C, S, S), normalised, and labels (B,).
        scales: The result of ``check_scales``.
        limit: Largest number of images.

    Raises:
        WorkFailed: A weight is NaN: the network's own weights are damaged.
    """
    reader = _Reader(model, units)
    labels: list[Tensor] = []
    seen = 0
    with reader:
        for images, classes in batches:
            left = len(images) if limit is None else min(len(images), limit - seen)
            if left == 0:
                break
            images, seen = images[:left], seen + left
            labels.append(classes[:left])
            for number, scale in enumerate(scales):
                reader.scale = number
                model(enlarge(images, scale))
    return Attention(
        scales, torch.cat(labels).cpu().numpy(), reader.read(tuple(range(len(scales))))
    )


class _Reader:
    """A context manager that records the attention of every forward pass.

    It hooks the select matrices: their output is the last tensor of a unit before the softmax that a
    hook can read.

    Args:
        model: The network.
        units: The units of the model.
    """

    def __init__(self, model: nn.Module, units: tuple[SkUnit, ...]) -> None:
        self._model = model
        self._units = units
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._branches: dict[tuple[SkUnit, int], list[Tensor]] = {}
        self._channels: dict[tuple[SkUnit, int], Tensor] = {}
        self.scale = 0

    def __enter__(self) -> _Reader:
        for unit in self._units:
            select = self._model.get_submodule(f"{unit.path}.select")
            self._hooks.append(
                select.register_forward_hook(
                    lambda _module, _inputs, logits, unit=unit: self._keep(unit, logits)
                )
            )
        return self

    def __exit__(self, *exception: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _keep(self, unit: SkUnit, logits: Tensor) -> None:
        branches = branch_weights(logits, len(unit.kernels), unit.channels)
        weights = torch.stack(branches, dim=1).flatten(2).double()  # (B, M, C)
        key = (unit, self.scale)
        self._branches.setdefault(key, []).append(weights.mean(2).cpu())
        total = weights[:, unit.larger].sum(0).cpu()
        self._channels[key] = self._channels[key] + total if key in self._channels else total

    def read(self, scales: tuple[int, ...]) -> tuple[UnitAttention, ...]:
        """The recorded attention of each unit."""
        found = []
        for unit in self._units:
            branches = torch.stack([torch.cat(self._branches[unit, scale]) for scale in scales])
            channels = torch.stack([self._channels[unit, scale] for scale in scales])
            if not branches.isfinite().all():
                raise WorkFailed(
                    f"{unit.name}: the attention is not a number; the weights are damaged"
                )
            found.append(
                UnitAttention(unit, branches.numpy(), (channels / branches.shape[1]).numpy())
            )
        return tuple(found)
