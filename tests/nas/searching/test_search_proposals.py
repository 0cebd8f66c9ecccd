"""Gate, replay, failures and exhaustion, with trainings answered by a formula."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import optuna
import pytest

from blocks import InvalidInput
from nas.cost import Budgets, count
from nas.errors import WorkFailed
from nas.front import make_front
from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching.candidates import find_candidates
from nas.searching.jobs import training_job
from nas.searching.samplers import SAMPLERS, derive_seed
from nas.searching.study import open_study
from search_spaces import SearchSpace, SpaceDefinition, load_space
from tests.nas.searching.search_helpers import (
    FormulaEvaluator,
    SilentView,
    digits_space,
    formula_search,
    make_config,
)

pytestmark = pytest.mark.integration


def keys_trained(records: list[TrialRecord]) -> list[str]:
    return [r.key for r in records if r.state is TrialState.TRAINED]


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_every_sampler_trains_the_wanted_number_of_distinct_networks(
    tmp_path: Path, sampler: str
) -> None:
    executor = FormulaEvaluator()
    config = make_config(sampler=sampler, trials=24)
    front, records = formula_search(tmp_path / "run", config, executor)
    trained = keys_trained(records)
    assert len(trained) == len(set(trained)) == 24
    assert sorted(executor.started) == sorted(trained)
    assert front == make_front(records, config.objectives, front.reference)
    assert front.points


def test_a_network_over_budget_is_never_trained_and_costs_no_trial(tmp_path: Path) -> None:
    space = digits_space("quickstart")
    sizes = sorted(count(spec).mflops for spec in space.enumerate())
    limit = sizes[len(sizes) // 3]
    executor = FormulaEvaluator()
    config = make_config(trials=12, budgets={"max_mflops": limit}, sampler="tpe")
    _, records = formula_search(tmp_path / "run", config, executor)
    outcomes = Counter(r.state for r in records)
    assert outcomes[TrialState.TRAINED] == 12
    assert outcomes[TrialState.INFEASIBLE] > 0
    for one in records:
        over = count(one.spec).mflops > limit
        assert (one.state is TrialState.INFEASIBLE) == over
        assert bool(one.note) == over or one.state is TrialState.DUPLICATE


def test_the_sampler_is_told_of_refusals_as_constraints(tmp_path: Path) -> None:
    config = make_config(trials=8, budgets={"max_mflops": 2.0})
    formula_search(tmp_path / "run", config)
    study = open_study(config, RunFolder(tmp_path / "run"), create=False)
    refused = [t for t in study.trials if t.state == optuna.trial.TrialState.PRUNED]
    assert refused
    for trial in refused:
        (value,) = trial.constraints.values()
        assert value > 0


def test_a_network_seen_before_gets_the_known_result(tmp_path: Path) -> None:
    _, records = formula_search(tmp_path / "run", make_config(trials=40))
    replayed = [r for r in records if r.state is TrialState.DUPLICATE]
    assert replayed
    for one in replayed:
        first = next(r for r in records if r.key == one.key)
        assert first.state is TrialState.TRAINED
        assert one.values == first.values
        assert one.note == f"same network as trial {first.number}"


def test_a_duplicate_of_a_network_in_training_waits_for_its_result(tmp_path: Path) -> None:
    # With many places most duplicates are proposed while the first is still open.
    executor = FormulaEvaluator(workers=40)
    config = make_config(trials=60, workers=40)
    _, records = formula_search(tmp_path / "run", config, executor)
    assert max(Counter(executor.started).values()) == 1
    assert any(r.state is TrialState.DUPLICATE for r in records)
    assert all(r.state is not TrialState.RUNNING for r in records)


def test_an_exhausted_space_ends_the_search_early(tmp_path: Path) -> None:
    view = SilentView()
    networks = {spec.key for spec in digits_space("table4").enumerate()}
    config = make_config(space="table4", trials=50)
    _, records = formula_search(tmp_path / "run", config, view=view)
    assert set(keys_trained(records)) == networks
    assert "the space holds no further network within the budgets" in view.events


def test_grid_trains_every_network_without_any_duplicate(tmp_path: Path) -> None:
    config = make_config(space="table4", sampler="grid", trials=50)
    _, records = formula_search(tmp_path / "run", config)
    assert [r.state for r in records] == [TrialState.TRAINED] * 6


def test_a_failed_network_is_not_trained_again_and_the_search_goes_on(tmp_path: Path) -> None:
    executor = FormulaEvaluator(fails=lambda job: len(job.spec.unit.dilations) == 1)
    config = make_config(trials=30, seed=3)
    _, records = formula_search(tmp_path / "run", config, executor)
    failed = [r for r in records if r.state is TrialState.FAILED]
    assert failed
    assert all(r.note == "it did not work" for r in failed)
    assert max(Counter(executor.started).values()) == 1
    # A failed training is spent: otherwise a space that cannot be trained would never end.
    assert len(executor.started) == 30
    for one in records:
        if one.state is TrialState.DUPLICATE and one.key in {f.key for f in failed}:
            assert one.values == ()


def test_a_search_in_which_everything_fails_gives_up_with_the_reason(tmp_path: Path) -> None:
    executor = FormulaEvaluator(fails=lambda job: True)
    with pytest.raises(WorkFailed, match=r"first 3 trainings have all failed.*it did not work"):
        formula_search(tmp_path / "run", make_config(trials=30), executor)
    assert len(executor.started) == 3


def test_a_short_search_in_which_everything_fails_fails_too(tmp_path: Path) -> None:
    executor = FormulaEvaluator(fails=lambda job: True)
    with pytest.raises(WorkFailed, match="first 2 trainings have all failed"):
        formula_search(tmp_path / "run", make_config(trials=2), executor)


def test_a_vast_space_is_looked_through_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.searching.candidates.GEOMETRIES", 20)
    definition = {
        "name": "vast",
        "about": "every width",
        "fixed": {"backbone": "mobilenet_v2"},
        "vary": {"width": {"float": [0.35, 0.5]}},
    }
    space = SearchSpace(SpaceDefinition.model_validate(definition))
    small = space.bind(num_classes=10, in_channels=1, input_size=16)
    candidates = find_candidates(small, Budgets(), seed=0)
    assert not candidates.complete
    assert 1 < len(candidates.specs) <= 20


def test_nothing_fits_names_the_tightest_budget() -> None:
    space = digits_space("quickstart")
    budgets = Budgets(max_mflops=0.5, max_params=10.0)
    with pytest.raises(InvalidInput, match=r"tightest is max_params 10: the smallest has \d"):
        find_candidates(space, budgets, seed=0)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (10.0, r"; the images have 224 pixels a side; allowed: input_size=\d+ or less$"),
        (0.001, r"; the images have 224 pixels a side; a smaller input_size takes less$"),
    ],
)
def test_photographs_may_be_smaller(limit: float, words: str) -> None:
    space = load_space("mcu_sk")
    bound = space.bind(num_classes=3, in_channels=3, input_size=224)
    with pytest.raises(InvalidInput, match=words):
        find_candidates(bound, Budgets(max_mflops=limit), seed=0, scaled=True)
    with pytest.raises(InvalidInput, match=r"the smallest has [\d.]+$"):
        find_candidates(bound, Budgets(max_mflops=limit), seed=0)
    # The number of weights does not depend on the images.
    with pytest.raises(InvalidInput, match=r"the smallest has [\d.]+$"):
        find_candidates(bound, Budgets(max_params=10), seed=0, scaled=True)


def test_budgets_that_exclude_each_other_are_said_to() -> None:
    # Few weights at a high resolution, or many at a low one.
    definition = {
        "name": "either",
        "about": "two networks",
        "fixed": {"backbone": "mobilenet_v2", "unit.kind": "none"},
        "vary": {
            "width": {"choice": [0.5, 0.75]},
            "stem_stride": [
                {"choice": [1], "when": {"width": 0.5}},
                {"choice": [2], "when": {"width": 0.75}},
            ],
        },
    }
    space = SearchSpace(SpaceDefinition.model_validate(definition))
    space = space.bind(num_classes=10, in_channels=1, input_size=32)
    narrow, wide = sorted((count(spec) for spec in space.enumerate()), key=lambda c: c.params)
    assert wide.mflops < narrow.mflops
    budgets = Budgets(max_mflops=wide.mflops, max_params=float(narrow.params))
    with pytest.raises(InvalidInput, match="not all at once"):
        find_candidates(space, budgets, seed=0)


def test_the_reference_is_the_worst_candidate_within_budgets() -> None:
    space = digits_space("quickstart")
    candidates = find_candidates(space, Budgets(max_mflops=2.0), seed=0)
    costs = [count(spec).mflops for spec in space.enumerate()]
    assert candidates.reference(("error", "mflops")) == (1.0, max(c for c in costs if c <= 2.0))


def test_derived_seeds_differ_by_purpose_and_number() -> None:
    seeds = {derive_seed(s, p, n) for s in range(5) for p in ("a", "b") for n in range(50)}
    assert len(seeds) == 500
    assert derive_seed(0, "proposal", 1) == derive_seed(0, "proposal", 1)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_a_seed_of_trainings_changes_no_proposal(tmp_path: Path) -> None:
    trained = []
    for number, seeds in enumerate(({"seed": 3}, {"seed": 3, "training_seed": 4}, {"seed": 4})):
        executor = FormulaEvaluator()
        formula_search(tmp_path / str(number), make_config(trials=8, **seeds), executor)
        trained.append(executor.started)
    assert trained[0] == trained[1] != trained[2]


def test_trials_are_trained_with_the_seed_of_trainings(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    spec = next(iter(digits_space("quickstart").enumerate()))
    record = TrialRecord(number=0, state=TrialState.RUNNING, spec=spec, key=spec.key)

    def seed(**seeds: int) -> int:
        return training_job(record, 1, make_config(**seeds), run).seed

    assert seed(seed=3) != seed(seed=3, training_seed=4) == seed(seed=4) == seed(training_seed=4)
