"""``cost-peers``: networks continue that have learnt more than those of like cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas.searching.early_stopping.snapshot import ETA, TrialSnapshot

PEERS = 2 * ETA
"""A network is compared with so many, itself among them: the nearest in cost."""


class CostPeerOrdering:
    """A network may continue when it is among the best third of its peers, the networks nearest in cost.

    A costlier network often learns more slowly at first. Compared with all, it would be stopped before
    it shows what it is worth; compared with its peers, it need only be ahead of networks that are slow
    for the same reason.

    Distance in cost is Euclidean between the logarithms of the costs.
    """

    def best(self, members: Sequence[TrialSnapshot], rung: int) -> list[str]:
        """Those ahead of their peers, by how many are better and then by their lead."""
        ranked = []
        for one in members:
            peers = _nearest(one, members)
            better = sum(peer.rung_metric(rung) < one.rung_metric(rung) for peer in peers)
            if better < max(1, len(peers) // ETA):
                lead = _median([peer.rung_metric(rung) for peer in peers]) - one.rung_metric(rung)
                # Two that are infinitely bad: no lead, and no nan that would not sort.
                ranked.append((better, -lead if math.isfinite(lead) else 0.0, one.key))
        return [key for *_, key in sorted(ranked)]


def _nearest(one: TrialSnapshot, members: Sequence[TrialSnapshot]) -> list[TrialSnapshot]:
    """``one`` and its peers; of equally near ones those of the lower key."""
    by_distance = sorted(members, key=lambda other: (_distance(one, other), other.key))
    return by_distance[:PEERS]


def _distance(one: TrialSnapshot, other: TrialSnapshot) -> float:
    if one.key == other.key:
        return -1.0  # itself first, also before others of the same cost
    return math.dist([math.log1p(c) for c in one.costs], [math.log1p(c) for c in other.costs])


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
