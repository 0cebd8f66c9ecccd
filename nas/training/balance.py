"""Classes of unequal size in the training loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def class_weights(counts: Sequence[int]) -> Tensor:
    """Weights with which every class has the same share of the loss, and the mean image weight 1.

    Args:
        counts: Training images of each class; a class without images gets weight 0.

    Examples:
        >>> class_weights([10, 190]).tolist()
        [10.0, 0.5263158082962036]
    """
    images = torch.tensor(counts, dtype=torch.float64)
    present = int((images > 0).sum())
    weights = torch.where(images > 0, images.sum() / (present * images.clamp(min=1)), 0.0)
    return weights.float()


class WeightedCrossEntropy(nn.Module):
    """The mean over a batch of the cross entropy of each image times the weight of its class.

    torch's own weighted mean divides by the weights in the batch: a batch without a rare class would
    count as much as one that has it, and the share of a process would depend on its labels.

    Args:
        weights: Of the classes, (K,).
        label_smoothing: Label smoothing.
    """

    weights: Tensor

    def __init__(self, weights: Tensor, label_smoothing: float) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits (B, K) and labels (B,), or shares of the classes (B, K)."""
        losses = nn.functional.cross_entropy(
            logits, labels, reduction="none", label_smoothing=self.label_smoothing
        )
        of_images = self.weights[labels] if labels.ndim == 1 else labels @ self.weights
        return (losses * of_images).mean()


class AdjustedCrossEntropy(nn.Module):
    """Cross entropy of logits plus the logarithms of the classes' shares (Menon et al., ICLR 2021).

    The network need not learn that a class is rare, so its own logits treat classes alike. The loss of
    a rare image is as large as that of any other, which is more stable than weights.

    Args:
        counts: Training images of each class.
        label_smoothing: Label smoothing.
    """

    shares: Tensor

    def __init__(self, counts: Sequence[int], label_smoothing: float) -> None:
        super().__init__()
        images = torch.tensor(counts, dtype=torch.float32).clamp(min=0.5)  # no logarithm of 0
        self.register_buffer("shares", (images / images.sum()).log(), persistent=False)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits (B, K) and labels (B,), or shares of the classes (B, K)."""
        return nn.functional.cross_entropy(
            logits + self.shares, labels, label_smoothing=self.label_smoothing
        )
