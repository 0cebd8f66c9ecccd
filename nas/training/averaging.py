"""The moving average of the weights that is evaluated and exported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WarmAveraging(WeightAveraging):
    """Lightning's weight averaging with a decay that grows to its full value.

    After n updates the decay is ``min(decay, (1 + n) / (10 + n))``, so that the random initial weights
    do not dominate a training of some hundred steps. BatchNorm statistics are averaged alike.

    Args:
        decay: Decay of the weights per step, in [0, 1).
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=_warm_average(decay))


def _warm_average(decay: float) -> Callable[[Any, Any, Tensor | int], None]:
    def average(averaged: Any, current: Any, updates: Tensor | int) -> None:
        count = int(updates)
        warm = min(decay, (1 + count) / (10 + count))
        get_ema_multi_avg_fn(warm)(averaged, current, updates)

    return average
