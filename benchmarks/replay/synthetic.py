"""Tables of invented learning curves over the networks of curves/space.yaml.

Whether early epochs tell the final order decides what early stopping is worth, so there are two: curves
that never cross but for noise (rank correlation of the first with the last epoch: 0.92 over ten seeds),
and curves of which the better ones are slower (0.26; after three epochs 0.72). With the same seed both
have the same errors after the last epoch.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from curves.table import SPACE, CurveTable

from blocks import ArchSpec
from nas.cost import count
from search_spaces import load_space

EPOCHS = 9
UNTRAINED = 0.75
LEVEL = 0.25  # mean error after the last epoch
DECAY = 0.55  # share of what is left that an epoch takes away is 1 - exp(-DECAY)
NETWORK_NOISE, EPOCH_NOISE = 0.008, 0.007


def parallel(seed: int) -> CurveTable:
    """Curves of one speed: but for noise the order after one epoch is the final one."""
    return _make("parallel", seed, slower_by=0.0)


def crossing(seed: int) -> CurveTable:
    """Curves that are slower for larger networks and for those with the ReLU in the branches."""
    return _make("crossing", seed, slower_by=0.25)


def _make(name: str, seed: int, slower_by: float) -> CurveTable:
    specs = _networks()
    mflops = np.array([count(spec).mflops for spec in specs.values()])
    features = np.array([_features(spec) for spec in specs.values()])
    rng = np.random.default_rng(seed)
    final = LEVEL + _effects(features, rng) + rng.normal(0, NETWORK_NOISE, len(specs))
    size = (np.log(mflops) - np.log(mflops).mean()) / np.log(mflops).std()
    act = np.array([1.0 if spec.unit.branch_act else -1.0 for spec in specs.values()])
    rate = (DECAY * np.exp(-slower_by * (size + act) / 2))[:, None]
    epoch = np.arange(1, EPOCHS + 1)
    # Scaled to end at nothing, so that slow networks are late and not worse.
    left = (np.exp(-rate * epoch) - np.exp(-rate * EPOCHS)) / (1 - np.exp(-rate * EPOCHS))
    errors = final[:, None] + (UNTRAINED - final[:, None]) * left
    errors = np.clip(errors + rng.normal(0, EPOCH_NOISE, errors.shape), 0.01, 0.9)
    return CurveTable(
        name=f"{name}-{seed}",
        specs=specs,
        errors=dict(zip(specs, errors, strict=True)),
        mflops=dict(zip(specs, mflops.tolist(), strict=True)),
        seconds=dict(zip(specs, (1 + mflops).tolist(), strict=True)),
    )


@cache
def _networks() -> dict[str, ArchSpec]:
    space = load_space(str(SPACE)).bind(num_classes=10, in_channels=1, input_size=28)
    return {spec.key: spec for spec in space.enumerate()}


def _features(spec: ArchSpec) -> list[float]:
    """Width, M, widest dilation, kernel, ReLU, group width, r and L, each between -1 and 1."""
    unit = spec.unit
    several = len(unit.dilations) > 1  # else there is no selection, and r and L are without effect
    return [
        1.0 if spec.width == 0.5 else -1.0,
        len(unit.dilations) - 2.0,
        max(unit.dilations) - 2.0,
        1.0 if unit.kernel == "real" else -1.0,
        1.0 if unit.branch_act else -1.0,
        1.0 if unit.group_width == 4 else -1.0,
        several * (1.0 if unit.reduction == 16 else -1.0),
        several * (1.0 if unit.min_dim == 32 else -1.0),
    ]


def _effects(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the architecture adds to the error: every figure by itself, and six pairs of them."""
    many = features.shape[1]
    main = np.asarray(rng.normal(0, 0.01, many))
    # Without a price for being small the front would be a few networks.
    main[[0, 1, 5]] += (-0.04, -0.01, -0.01)
    pairs = np.array([(i, j) for i in range(many) for j in range(i)])
    pairs = pairs[rng.choice(len(pairs), 6, replace=False)]
    both = features[:, pairs[:, 0]] * features[:, pairs[:, 1]]
    return np.asarray(features @ main + both @ rng.normal(0, 0.008, len(pairs)))
