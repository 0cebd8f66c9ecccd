"""A module: the focal loss in place of the cross entropy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nas.training.module import Classifier


class FocalLoss(nn.Module):
    """Lin et al., ICCV 2017, arXiv 1708.02002, with gamma 2."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(logits, labels, reduction="none")
        focal: Tensor = ((1 - torch.exp(-loss)) ** 2 * loss).mean()
        return focal


class Focal(Classifier):
    """The program's module with another loss."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.loss = FocalLoss()
