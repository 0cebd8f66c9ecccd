"""Searches of a space that is too large to list: half a billion networks, trainings by a formula."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.cost import count
from nas.runs import TrialState
from nas.searching import candidates
from nas.searching.forecast import evolving_ranker
from search_spaces import SearchSpace
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
