"""What rules of early stopping decide, against brute force and under every order of arrival."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.searching.early_stopping import SuccessiveHalving, TrialSnapshot, rungs_of
from nas.searching.early_stopping.cost_peers import PEERS, CostPeerOrdering
from nas.searching.early_stopping.pareto import ParetoOrdering, chance_error, chance_loss
from nas.searching.early_stopping.rule import Ordering
from nas.searching.early_stopping.snapshot import ETA

RUNGS = (1, 3, 9)
LARGEST = 10.0
CLASSES = 10
PARETO = ParetoOrdering(CLASSES, (LARGEST,))
ORDERINGS: dict[str, Ordering] = {"pareto": PARETO, "cost-peers": CostPeerOrdering()}

errors = st.floats(0, 1) | st.sampled_from([0.1, 0.2, 0.9, math.nan])
losses = st.floats(0, 3) | st.sampled_from([0.5, 2.0, math.nan])
costs = st.floats(0.1, LARGEST) | st.sampled_from([1.0, 2.0])


@st.composite
def fields_of_snapshots(draw: st.DrawFn, most: int = 14) -> list[TrialSnapshot]:
    """Any standing of a search: ties, nan, one network, all equal; losses known of all or of none."""
    with_losses = draw(st.booleans())

    def snapshot(index: int) -> TrialSnapshot:
        seen = tuple(draw(st.lists(errors, max_size=len(RUNGS))))
        shown = tuple(draw(losses) for _ in seen) if with_losses else ()
        running = draw(st.booleans())
        given_up = not running and len(seen) < len(RUNGS) and draw(st.booleans())
        return TrialSnapshot(f"{index:04x}", (draw(costs),), seen, shown, running, given_up)

    return [snapshot(index) for index in range(draw(st.integers(1, most)))]


def promote(name: str, snapshots: Sequence[TrialSnapshot], left: int | None = None) -> str | None:
    return SuccessiveHalving(RUNGS, ORDERINGS[name]).promote(snapshots, left, closing=False)


@pytest.mark.parametrize(
    ("epochs", "rungs"), [(9, (1, 3, 9)), (3, (1, 3)), (30, (1, 3, 10, 30)), (2, (2,)), (1, (1,))]
)
def test_rungs_are_thirds(epochs: int, rungs: tuple[int, ...]) -> None:
    assert rungs_of(epochs) == rungs


@pytest.mark.parametrize("name", ORDERINGS)
@given(snapshots=fields_of_snapshots(), seed=st.integers(0, 99))
def test_the_order_of_arrival_decides_nothing(
    name: str, snapshots: list[TrialSnapshot], seed: int
) -> None:
    shuffled = snapshots.copy()
    random.Random(seed).shuffle(shuffled)
    assert promote(name, shuffled) == promote(name, snapshots)


@pytest.mark.parametrize("name", ORDERINGS)
@given(snapshots=fields_of_snapshots())
def test_only_waiting_networks_go_on(name: str, snapshots: list[TrialSnapshot]) -> None:
    key = promote(name, snapshots)
    if key is not None:
        (chosen,) = [one for one in snapshots if one.key == key]
        assert not chosen.running
        assert not chosen.stopped
        assert 0 < len(chosen.errors) < len(RUNGS)


@pytest.mark.parametrize("name", ORDERINGS)
@given(snapshots=fields_of_snapshots(), cheaper=st.floats(0.5, 1))
def test_a_newcomer_that_dominates_its_rung_goes_on(
    name: str, snapshots: list[TrialSnapshot], cheaper: float
) -> None:
    """However many wait beside it: it goes on next, or after better ones of higher rungs."""
    members = [one for one in snapshots if one.errors]
    least = min((s for one in members if math.isfinite(s := one.rung_metric(0))), default=0.5)
    better = (least / 2 - 0.01,)
    # By what is compared: its error may be the worst of all where losses are known.
    with_losses = any(one.losses for one in members)
    newcomer = (
        TrialSnapshot("ffff", (0.1 * cheaper,), (0.99,), better)
        if with_losses
        else TrialSnapshot("ffff", (0.1 * cheaper,), better)
    )
    standing = [*snapshots, newcomer]
    for _ in range(3 * len(standing)):
        key = promote(name, standing)
        assert key is not None, "the newcomer is left waiting"
        if key == newcomer.key:
            return
        standing = [
            TrialSnapshot(
                one.key, one.costs, (*one.errors, 0.5), (*one.losses, 0.5) if one.losses else ()
            )
            if one.key == key
            else one
            for one in standing
        ]
    pytest.fail("the newcomer never goes on")


@pytest.mark.parametrize("name", ORDERINGS)
def test_one_network_goes_on_alone(name: str) -> None:
    assert promote(name, [TrialSnapshot("a", (1.0,), (0.4,))]) == "a"


@pytest.mark.parametrize("name", ORDERINGS)
def test_of_equal_networks_one_in_three_goes_on(name: str) -> None:
    equal = [TrialSnapshot(f"{index}", (1.0,), (0.4,)) for index in range(6)]
    chosen = ORDERINGS[name].best(equal, 0)
    assert chosen[: 6 // ETA] == ["0", "1"]


@pytest.mark.parametrize("name", ORDERINGS)
def test_what_is_not_a_number_comes_last(name: str) -> None:
    members = [TrialSnapshot("a", (1.0,), (math.nan,)), TrialSnapshot("b", (1.0,), (0.8,))]
    assert promote(name, members) == "b"


@pytest.mark.parametrize("name", ORDERINGS)
def test_a_step_that_the_epochs_left_do_not_allow_is_not_taken(name: str) -> None:
    waiting = [TrialSnapshot("a", (1.0,), (0.4, 0.3)), TrialSnapshot("b", (1.0,), (0.5,))]
    assert promote(name, waiting, left=6) == "a"
    assert promote(name, [waiting[1]], left=2) == "b"
    assert promote(name, [waiting[0]], left=5) is None


def test_the_cheapest_of_all_is_paused_when_it_only_guesses() -> None:
    """A plain Pareto rank never stops it: nothing is as cheap."""
    guesses = TrialSnapshot("cheap", (0.1,), (0.9,))
    others = [TrialSnapshot(f"{i}", (1.0 + i,), (0.5 - 0.02 * i,)) for i in range(5)]
    assert "cheap" not in PARETO.best([guesses, *others], 0)


def brute_force(members: Sequence[TrialSnapshot], rung: int) -> list[str]:
    """Peel fronts by definition; inside one, by the area that only this point dominates."""
    left = list(members)
    chance = chance_loss(CLASSES) if members[0].losses else chance_error(CLASSES)
    wanted = max(1, len(members) // ETA)
    order: list[str] = []
    groups = [
        [one for one in left if one.rung_metric(rung) < chance],
        [one for one in left if not one.rung_metric(rung) < chance],
    ]
    for group in groups:
        while group:
            front = [
                a
                for a in group
                if not any(
                    b.rung_metric(rung) <= a.rung_metric(rung)
                    and b.costs <= a.costs
                    and (b.rung_metric(rung), b.costs) != (a.rung_metric(rung), a.costs)
                    for b in group
                )
            ]
            order += [
                one.key
                for one in sorted(front, key=lambda a: (-_alone(a, front, rung, chance), a.key))
            ]
            group = [one for one in group if one not in front]
    return order[:wanted]


def _alone(one: TrialSnapshot, front: Sequence[TrialSnapshot], rung: int, chance: float) -> float:
    """Area dominated by ``one`` and no other of a front of two objectives, as a share of the box."""
    twins = [
        b for b in front if b.rung_metric(rung) == one.rung_metric(rung) and b.costs == one.costs
    ]
    if len(twins) > 1:
        return 0.0
    shown, cost = min(one.rung_metric(rung), chance), min(one.costs[0], LARGEST)
    up = min([chance] + [b.rung_metric(rung) for b in front if b.rung_metric(rung) > shown])
    right = min([LARGEST] + [b.costs[0] for b in front if b.costs[0] > cost])
    return round((min(up, chance) - shown) * (right - cost) / chance / LARGEST, 12)


def test_the_pareto_order_is_that_of_brute_force_on_2000_random_rungs() -> None:
    rng = random.Random(0)
    for trial in range(2000):
        coarse = trial % 2  # ties, every other time
        members = [
            TrialSnapshot(
                f"{index}",
                (round(rng.uniform(0.5, LARGEST), 1 if coarse else 9),),
                (round(rng.uniform(0.05, 0.99), 1 if coarse else 9),),
                # Every third time losses are known, some of them worse than guessing.
                (round(rng.uniform(0.5, 2.5), 1 if coarse else 9),) if trial % 3 == 0 else (),
            )
            for index in range(rng.randint(1, 12))
        ]
        assert PARETO.best(members, 0) == brute_force(members, 0), members


def test_a_costly_network_is_compared_with_costly_ones() -> None:
    """It is behind all cheap ones at first, and goes on because its like are further behind."""
    cheap = [TrialSnapshot(f"c{i}", (1.0 + 0.01 * i,), (0.3 + 0.01 * i,)) for i in range(PEERS)]
    dear = [TrialSnapshot(f"d{i}", (9.0 + 0.01 * i,), (0.6 + 0.01 * i,)) for i in range(PEERS)]
    best = CostPeerOrdering().best([*cheap, *dear], 0)
    assert {"c0", "d0"} <= set(best)
    assert "d5" not in best
    assert "d0" not in PARETO.best([*cheap, *dear], 0)


@settings(max_examples=50)
@given(snapshots=fields_of_snapshots(most=30))
def test_cost_peers_agree_with_their_definition(snapshots: list[TrialSnapshot]) -> None:
    members = [one for one in snapshots if one.errors]
    best = set(CostPeerOrdering().best(members, 0))

    def loss(one: TrialSnapshot) -> float:
        figure = one.losses[0] if one.losses else one.errors[0]
        return math.inf if math.isnan(figure) else figure

    for one in members:

        def distance(other: TrialSnapshot, one: TrialSnapshot = one) -> tuple[bool, float, str]:
            gap = abs(math.log1p(other.costs[0]) - math.log1p(one.costs[0]))
            return (other.key != one.key, gap, other.key)

        peers = sorted(members, key=distance)[:PEERS]
        ahead = sum(loss(peer) < loss(one) for peer in peers)
        assert (one.key in best) == (ahead < max(1, len(peers) // ETA))
