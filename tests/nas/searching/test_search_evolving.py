"""Searches of a space that is too large to list: half a billion networks, trainings by a formula."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.errors import InvalidInput
from nas.cost import Budgets, count
from nas.runs import TrialState
from nas.searching import candidates
from nas.searching.forecast import evolving_ranker
from search_spaces import SearchSpace, load_space
from tests.nas.searching.search_helpers import (
    Crash,
    FormulaEvaluator,
    digits_space,
    formula_search,
    make_config,
)

pytestmark = pytest.mark.integration
SPACE = "shufflenet_v2_sk_stages"


def bound() -> SearchSpace:
    return digits_space(SPACE)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer networks are looked at, so that a proposal takes a fraction of a second."""
    monkeypatch.setattr(candidates, "SAMPLES", 200)
    monkeypatch.setattr(evolving_ranker, "SAMPLED", 100)
    monkeypatch.setattr(evolving_ranker, "GENERATIONS", 2)
    monkeypatch.setattr(evolving_ranker, "PARENTS", 6)


def test_networks_outside_the_sample_are_found_and_keep_the_budgets(tmp_path: Path) -> None:
    config = make_config(
        space=SPACE, sampler="forecast", trials=12, budgets={"max_mflops": 6, "max_params": 500_000}
    )
    _, records = formula_search(tmp_path / "run", config)
    trained = [one for one in records if one.state is TrialState.TRAINED]
    assert len({one.key for one in trained}) == 12
    for one in trained:
        assert count(one.spec).mflops <= 6
        assert count(one.spec).params <= 500_000
    sample = candidates.find_candidates(bound(), config.budgets, config.seed).specs
    assert sum(one.key not in sample for one in trained) >= 4


def test_a_resumed_search_proposes_what_it_would_have_proposed(tmp_path: Path) -> None:
    config = make_config(space=SPACE, sampler="forecast", trials=9)
    _, whole = formula_search(tmp_path / "whole", config)
    with pytest.raises(Crash):
        formula_search(tmp_path / "cut", config, FormulaEvaluator(crash_after=6))
    _, resumed = formula_search(tmp_path / "cut", config)
    assert [one.key for one in resumed] == [one.key for one in whole]


def test_early_stopping_continues_networks_that_evolution_found(tmp_path: Path) -> None:
    config = make_config(
        space=SPACE, sampler="forecast", trials=12, early_stopping="forecast",
        recipe={"name": "rungs", "epochs": 9},
    )  # fmt: skip
    _, records = formula_search(tmp_path / "run", config)
    sample = candidates.find_candidates(bound(), config.budgets, config.seed).specs
    continued = [one for one in records if one.epochs > config.rungs[0]]
    assert any(one.key not in sample for one in continued)


def test_budgets_that_no_network_of_the_sample_keeps_are_searched_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = load_space("mobilenet_v3_sk_stages").bind(num_classes=10, in_channels=3, input_size=96)
    monkeypatch.setattr(candidates, "SAMPLES", 1000)
    sample = candidates.find_candidates(space, Budgets(), 0).specs
    least = min(count(spec).mflops for spec in sample.values())
    budgets = Budgets(max_mflops=least * 0.99)
    found = candidates.find_candidates(space, budgets, 0).specs
    assert len(found) >= 2
    assert not set(found) & set(sample)
    assert all(count(spec).mflops <= least * 0.99 for spec in found.values())
    assert list(found) == list(candidates.find_candidates(space, budgets, 0).specs)


def test_budgets_that_no_network_keeps_are_refused_with_the_least_that_was_found() -> None:
    space = load_space("mobilenet_v3_sk_stages").bind(num_classes=10, in_channels=3, input_size=96)
    with pytest.raises(InvalidInput, match=r"no network of space .* max_mflops 0\.1: the smallest"):
        candidates.find_candidates(space, Budgets(max_mflops=0.1), 0)
