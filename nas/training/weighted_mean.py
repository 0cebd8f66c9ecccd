"""A mean over batches and processes that keeps NaN."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class WeightedMean(Metric):
    """The weighted mean of figures, over all processes when it is computed.

    torchmetrics' own mean drops NaN, which has to be visible here. With ``nan_strategy="disable"`` it
    keeps NaN, but drops the weights.
    """

    total: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ("total", "weight"):
            self.add_state(state, default=torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, value: Tensor, weight: float = 1.0) -> None:
        """Add one figure."""
        self.total += value * weight
        self.weight += weight

    def compute(self) -> Tensor:
        """The mean so far."""
        return self.total / self.weight
