"""``pareto``: networks continue that the others at their rung do not dominate."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas.front import hypervolume, non_dominated
from nas.searching.early_stopping.snapshot import ETA, TrialSnapshot


class ParetoOrdering:
    """Non-dominated sorting of (loss, costs); inside a front, who adds most hypervolume comes first.

    As MO-ASHA (Schmucker et al., 2021), with a rank that is one. A cost is known before training and
    stays, so the cheapest networks are never dominated however bad they are: those that are no better
    than guessing come after all others.

    Args:
        classes: Whose names may be guessed.
        reference: The largest costs there are.
    """

    def __init__(self, classes: int, reference: tuple[float, ...]) -> None:
        self._classes = classes
        self._reference = reference

    def best(self, members: Sequence[TrialSnapshot], rung: int) -> list[str]:
        """A third of the members, at least one."""
        wanted = max(1, len(members) // ETA)
        by_key = sorted(members, key=lambda one: one.key)
        learning = [one for one in by_key if one.rung_metric(rung) < self._guessing(one)]
        guessing = [one for one in by_key if not one.rung_metric(rung) < self._guessing(one)]
        chosen: list[str] = []
        for group in (learning, guessing):
            rest = group
            while rest and len(chosen) < wanted:
                front = self._front(rest, rung)
                chosen += [one.key for one in self._by_contribution(front, rung)]
                taken = {one.key for one in front}
                rest = [one for one in rest if one.key not in taken]
        return chosen[:wanted]

    def _front(self, members: Sequence[TrialSnapshot], rung: int) -> list[TrialSnapshot]:
        on_front = non_dominated([(one.rung_metric(rung), *one.costs) for one in members])
        return [one for one, is_on in zip(members, on_front, strict=True) if is_on]

    def _by_contribution(self, front: list[TrialSnapshot], rung: int) -> list[TrialSnapshot]:
        """Sorted by what the hypervolume of the front would lose without each; of equals by key."""
        box = (max(map(self._guessing, front)), *self._reference)
        points = [(min(one.rung_metric(rung), 1e9), *one.costs) for one in front]
        whole = hypervolume(points, box)

        def contribution(index: int) -> float:
            others = points[:index] + points[index + 1 :]
            # Rounded, so that equal contributions stay equal whatever the order of the sums.
            return round(whole - hypervolume(others, box), 12)

        order = sorted(range(len(front)), key=lambda i: (-contribution(i), front[i].key))
        return [front[index] for index in order]

    def _guessing(self, one: TrialSnapshot) -> float:
        """What a network shows that gives every class the same chance."""
        return chance_loss(self._classes) if one.losses else chance_error(self._classes)


def chance_error(classes: int) -> float:
    """The error of guessing among so many classes of equal size."""
    return 1 - 1 / classes if classes > 1 else math.nextafter(0, 1)


def chance_loss(classes: int) -> float:
    """The cross entropy of guessing so, with or without label smoothing."""
    return math.log(classes) if classes > 1 else math.nextafter(0, 1)
