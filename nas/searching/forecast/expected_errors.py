"""Expected errors of trained networks: each is weighed against those of networks like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nas.searching.early_stopping.snapshot import TrialSnapshot
from nas.searching.forecast.features import Network, features_of
from nas.searching.forecast.model import FEW, forecast


def expected_errors(
    networks: Mapping[str, Network],
    costs: Mapping[str, tuple[float, ...]],
    errors: Mapping[str, float],
    images: int | None = None,
    worst: float = 1.0,
) -> dict[str, float]:
    """The error that another training of each network is expected to have.

    A network with the least error of many was lucky, too: another seed, or other validation images,
    would have given it a larger one. The regression of the search's forecast tells by how much, from how
    much like networks differ and from the number of images.

    Args:
        networks: Those trained, by key.
        costs: Exact costs of each, one a cost objective.
        errors: The observed error of each.
        images: Validation images; None: not known, or the error is no share of images.
        worst: The largest value that an error can have.

    Returns:
        By key. The observed errors where there are fewer than four networks, or nothing in which they
        differ.
    """
    keys = sorted(networks)
    features = features_of([networks[key] for key in keys], [costs[key] for key in keys])
    if len(keys) < FEW or not features.shape[1]:
        return dict(errors)
    seen: Sequence[TrialSnapshot] = [
        TrialSnapshot(key, costs[key], (errors[key] / worst,)) for key in keys
    ]
    rows = {key: row for row, key in enumerate(keys)}
    mean = forecast(features, rows, seen, 1, images).mean
    return {key: float(worst * mean[row]) for key, row in rows.items()}
