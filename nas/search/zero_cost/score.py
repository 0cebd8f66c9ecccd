"""Score networks by one of the scores."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from blocks import ArchSpec, build
from blocks.registry import Registry

Score: TypeAlias = Callable[[nn.Module, Tensor], float]
"""Of a network as it was built, and images (N, C, H, W); higher is better."""

SCORES: Registry[Score] = Registry("zero-cost score")

IMAGES = 32
MOST = 256
"""Networks that are scored; of more, so many are drawn: each takes up to a second."""


def score_networks(
    specs: Mapping[str, ArchSpec], name: str, images: Tensor, seed: int
) -> dict[str, float]:
    """Score networks, each with the same random state.

    Args:
        specs: The networks, by key; more than MOST are sampled.
        name: Of the score.
        images: (N, C, H, W), from the training images; their labels are not used.
        seed: Of the weights, and of the sample.

    Returns:
        Key -> score, higher is better; networks whose score is not finite are left out.

    Raises:
        InvalidInput: There is no such score.
    """
    score = SCORES[name]
    keys = sorted(specs)
    if len(keys) > MOST:
        keys = sorted(random.Random(seed).sample(keys, MOST))
    found = {}
    # The search draws nothing from torch's generator, and scoring must not change that.
    with torch.random.fork_rng(devices=[]):
        for key in keys:
            torch.manual_seed(seed)
            value = score(build(specs[key]), images)
            if math.isfinite(value):
                found[key] = value
    return found
