"""Which networks are trained again: a pure function of the trainings there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from nas.searching.confirm.estimates import Estimates

MAYBE = 0.05
"""A network with a probability between this and 1 less this may, or may not, be on the front."""
LEAST_GAIN = 0.02
"""Share of the variance of a difference that one more training must take away to be worth it."""


def undecided(membership: Mapping[int, float]) -> list[int]:
    """The networks of which it is open whether they are on the front."""
    return [trial for trial, share in membership.items() if MAYBE < share < 1 - MAYBE]


def next_trainings(
    estimates: Estimates,
    costs: Mapping[int, Sequence[float]],
    front: Collection[int],
    count: int,
    closed: Collection[int] = (),
) -> list[int]:
    """The networks to train next, one entry per training; none when nothing is left to tell.

    Networks of the front that were trained once come first: they may be there by luck. Then come those
    whose training says most about a network of which it is open whether it is on the front: that
    network, or the one of least error among those that are no costlier.

    Args:
        estimates: Of all networks trained.
        costs: Trial -> its costs.
        front: Trials of the front by mean errors.
        count: How many trainings, at most.
        closed: Trials that are not trained again, such as those whose training failed.
    """
    membership = estimates.on_front(costs)
    trained = {trial: len(one.errors) for trial, one in estimates.networks.items()}
    pairs = _pairs(estimates, costs, membership)
    chosen: list[int] = []
    while len(chosen) < count:
        once = [one for one in front if trained[one] == 1 and one not in closed]
        gains = _gains(estimates, pairs, membership, trained)
        open_gains = {one: gain for one, gain in gains.items() if one not in closed}
        if once:
            best = max(once, key=lambda one: (gains.get(one, 0.0), -one))
        elif open_gains:
            best = max(open_gains, key=lambda one: (open_gains[one], -one))
        else:
            break
        chosen.append(best)
        trained[best] += 1
    return chosen


def _pairs(
    estimates: Estimates, costs: Mapping[int, Sequence[float]], membership: Mapping[int, float]
) -> list[tuple[int, int]]:
    """The undecided networks, each with its strongest rival."""
    means = dict(zip(estimates.networks, estimates.means, strict=True))
    found = []
    for trial in undecided(membership):
        own = tuple(costs[trial])
        rivals = [
            one
            for one in means
            if one != trial and all(a <= b for a, b in zip(costs[one], own, strict=True))
        ]
        if rivals:
            found.append((trial, min(rivals, key=lambda one: (means[one], one))))
    return found


def _gains(
    estimates: Estimates,
    pairs: Sequence[tuple[int, int]],
    membership: Mapping[int, float],
    trained: Mapping[int, int],
) -> dict[int, float]:
    """Trial -> what one more training of it says; only those that say enough."""
    noise = dict(zip(estimates.networks, estimates.noise, strict=True))
    gains: dict[int, float] = {}
    for trial, rival in pairs:
        share = membership[trial]
        whole = estimates.variance(trial, rival)
        for one in (trial, rival):
            less = float(noise[one]) / (trained[one] * (trained[one] + 1)) / whole
            if less >= LEAST_GAIN:
                gains[one] = gains.get(one, 0.0) + share * (1 - share) * less
    return gains
