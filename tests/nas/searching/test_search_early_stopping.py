"""Searches whose trainings pause: what is trained and stored, and that a restart changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState as OptunaState

from blocks.errors import InvalidInput
from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching import SearchConfig
from nas.searching.history import shown_to_sampler
from nas.searching.plateau import trainings_without_growth
from nas.searching.study import open_study
from nas.study import proposed_trials, read_records
from nas.training import TrainJob
from nas.training.pretrained import plain_network
from tests.nas.searching.search_helpers import (
    Crash,
    FormulaEvaluator,
    SilentView,
    formula_search,
    make_config,
)

pytestmark = pytest.mark.integration

RULES = ("pareto", "cost-peers", "forecast")
EPOCHS = 9


def config_of(rule: str, sampler: str = "density", **fields: object) -> SearchConfig:
    recipe = {"name": "tiny", "epochs": EPOCHS}
    settings = {"trials": 12, "recipe": recipe, "early_stopping": rule, "sampler": sampler}
    return make_config(**(settings | fields))


def told(records: list[TrialRecord]) -> list[tuple[object, ...]]:
    return [(r.number, r.key, r.state, r.values, r.rung_results) for r in records]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("workers", [1, 3])
def test_trainings_pause_at_rungs_and_few_end(tmp_path: Path, rule: str, workers: int) -> None:
    executor = FormulaEvaluator(workers)
    front, records = formula_search(tmp_path / "run", config_of(rule, workers=workers), executor)
    assert len(records) == 12
    assert {r.state for r in records} == {TrialState.TRAINED, TrialState.STOPPED}
    for one in records:
        epochs = [reached.epochs for reached in one.rung_results]
        assert epochs == [1, 3, 9][: len(epochs)]
        assert (one.state is TrialState.TRAINED) == (epochs[-1] == EPOCHS)
    assert executor.epochs == sum(one.epochs for one in records) < 12 * EPOCHS
    assert len({r.key for r in records}) == 12
    assert front.points


@pytest.mark.parametrize(
    ("sampler", "rule"),
    [("tpe", "pareto"), ("forecast", "cost-peers"), ("forecast", "forecast")],
)
@pytest.mark.slow
def test_the_same_decisions_after_any_restart(tmp_path: Path, sampler: str, rule: str) -> None:
    config = config_of(rule, sampler)
    _, whole = formula_search(tmp_path / "whole", config)
    crashes = 0
    for crash_after in (1, 2, 3, 1, 5, 2, 1, 4, 3, 1, 2, 10**9):
        try:
            _, broken = formula_search(
                tmp_path / "broken", config, FormulaEvaluator(crash_after=crash_after)
            )
            break
        except Crash:
            crashes += 1
    assert crashes >= 5
    assert told(broken) == told(whole)


def test_no_more_epochs_than_allowed_and_none_begun_in_vain(tmp_path: Path) -> None:
    for rule in (*RULES, "none"):
        executor = FormulaEvaluator()
        formula_search(tmp_path / rule, config_of(rule, total_epochs=31, trials=50), executor)
        assert 22 <= executor.epochs <= 31, rule


@pytest.mark.parametrize("rule", RULES)
def test_a_network_that_cannot_be_finished_is_not_begun(tmp_path: Path, rule: str) -> None:
    spent = []

    class Watched(FormulaEvaluator):
        def start(self, number: int, job: TrainJob) -> None:
            if job.spec.key not in self.started:
                spent.append(self.epochs)
            super().start(number, job)

    config = config_of(rule, total_epochs=31, trials=50)
    formula_search(tmp_path, config, Watched())
    assert len(spent) > 3
    assert max(spent) <= 31 - config.epochs


def test_a_plateau_ends_the_search_and_a_resumed_one_stays_ended(tmp_path: Path) -> None:
    config = make_config(trials=90, sampler="grid", patience=6)
    view = SilentView()
    _, records = formula_search(tmp_path / "run", config, view=view)
    assert len(records) < 90
    assert any("has not grown by 0.1 % over 6" in event for event in view.events)
    box = (1.0, max(one.values[1] for one in records))
    assert trainings_without_growth(records, box) >= 6
    again = FormulaEvaluator()
    formula_search(tmp_path / "run", config, again)
    assert again.started == []


def test_nothing_has_stalled_before_the_first_full_training() -> None:
    assert trainings_without_growth([], (1.0, 1.0)) == 0


def test_a_sampler_is_shown_what_waits(tmp_path: Path) -> None:
    """Shown as open, trainings that wait would look bad to it, and their neighbours be avoided."""
    config = config_of("pareto", trials=12)
    with pytest.raises(Crash):
        formula_search(tmp_path / "run", config, FormulaEvaluator(crash_after=11))
    study = open_study(config, RunFolder(tmp_path / "run"), create=False)
    records = read_records(study)
    waiting = [one for one in records if one.state is TrialState.PAUSED]
    assert waiting
    proposals = zip(proposed_trials(study), records, strict=True)
    shown = shown_to_sampler(proposals, 2, lambda one: (one.rung_results[-1].error, 1.0))
    shown.sampler = TPESampler(seed=0, n_startup_trials=1)
    shown.ask()
    trials = shown.get_trials()
    assert len(trials) == len(records), "what is asked for is kept apart"
    for one in waiting:
        assert trials[one.number].state == OptunaState.COMPLETE
        assert trials[one.number].values == [one.rung_results[-1].error, 1.0]
    kept = open_study(config, RunFolder(tmp_path / "run"), create=False).get_trials()
    assert len(kept) == len(records)
    assert {kept[one.number].state for one in waiting} == {OptunaState.RUNNING}


def test_a_failed_training_is_out_of_the_race(tmp_path: Path) -> None:
    failing: set[str] = set()

    def fails(job: object) -> bool:
        spec, until = job.spec, job.stop_epoch  # type: ignore[attr-defined]
        if until == 3 and not failing:
            failing.add(spec.key)
        return until == 3 and spec.key in failing

    _, records = formula_search(
        tmp_path / "run", config_of("pareto"), FormulaEvaluator(fails=fails)
    )
    assert [r.state for r in records].count(TrialState.FAILED) == 1
    (failed,) = [r for r in records if r.state is TrialState.FAILED]
    assert failed.epochs == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"early_stopping": "pareto", "sampler": "nsga2"},
            "cannot learn from trainings that pause",
        ),
        ({"early_stopping": "pareto", "recipe": {"name": "tiny", "epochs": 2}}, "nowhere to pause"),
        ({"early_stopping": "hyperband"}, "early_stopping"),
        ({"total_epochs": 0}, "total_epochs"),
        (
            {"total_epochs": 8, "recipe": {"epochs": 9}, "early_stopping": "none"},
            "allowed: 9 or more",
        ),
        ({"total_epochs": 9, "recipe": {"epochs": 9}, "inherit": 1}, "allowed: 10 or more"),
        ({"patience": 0}, "patience"),
        ({"inherit": 0}, "inherit"),
    ],
)
def test_what_cannot_be_asked_for(fields: dict[str, object], message: str) -> None:
    with pytest.raises((InvalidInput, ValueError), match=message):
        make_config(**fields)


@pytest.mark.parametrize(
    ("fields", "rule", "schedule"),
    [
        ({}, "none", "one_cycle"),
        ({"total_epochs": 30}, "forecast", "constant"),
        ({"total_epochs": 30, "recipe": {"epochs": 4}}, "forecast", "constant"),
        ({"total_epochs": 30, "recipe": "tiny"}, "forecast", "one_cycle"),
        ({"total_epochs": 30, "early_stopping": "none"}, "none", "one_cycle"),
        ({"total_epochs": 30, "recipe": {"epochs": 2}}, "none", "one_cycle"),
        ({"total_epochs": 30, "inherit": 2}, "none", "one_cycle"),
        ({"total_epochs": 30, "sampler": "nsga2"}, "none", "one_cycle"),
        ({"total_epochs": 30, "sampler": "tpe"}, "forecast", "constant"),
    ],
)
def test_where_epochs_are_counted_trainings_pause_unless_they_cannot(
    fields: dict[str, object], rule: str, schedule: str
) -> None:
    least = {"name": "test", "space": "quickstart", "data": "digits", "trials": 9}
    config = SearchConfig.model_validate(least | fields)
    assert (config.early_stopping, config.recipe.schedule) == (rule, schedule)


def test_trainings_that_pause_take_the_recipe_made_for_it() -> None:
    fields = {"name": "x", "space": "quickstart", "data": "digits", "trials": 1}
    pausing = SearchConfig.model_validate({**fields, "early_stopping": "pareto"})
    assert pausing.recipe.schedule == "constant"
    changed = {**fields, "early_stopping": "pareto", "recipe": {"epochs": 27}}
    assert SearchConfig.model_validate(changed).rungs == (1, 3, 9, 27)
    assert SearchConfig.model_validate(fields).recipe.schedule == "one_cycle"
    # What a run keeps is read back as it was written.
    again = SearchConfig.model_validate(pausing.model_dump())
    assert again.recipe == pausing.recipe


def test_a_search_says_how_far_it_came_and_counts_parents(tmp_path: Path) -> None:
    recipe = {"name": "tiny", "epochs": 3}
    config = make_config(trials=50, recipe=recipe, inherit=1, total_epochs=9, sampler="density")
    view = SilentView()
    _, records = formula_search(tmp_path / "run", config, view=view)
    begun = [one for one in records if one.target_epoch]
    parents = {plain_network(one.spec).key for one in begun}
    spent = len(begun) + 3 * len(parents)
    assert spent <= 9
    assert view.events[-1].endswith(f"0 stopped early; {spent} of 9 epochs")
    assert f"{len(begun)} of 50 networks begun, {len(begun)} trained in full" in view.events[-1]


@pytest.mark.parametrize("rule", RULES)
def test_a_finished_search_goes_on_with_more_trials_and_leaves_what_it_gave_up(
    tmp_path: Path, rule: str
) -> None:
    config = config_of(rule, trials=9)
    _, before = formula_search(tmp_path / "run", config)
    assert TrialState.STOPPED in {r.state for r in before}
    more = config.model_copy(update={"trials": 15})
    _, after = formula_search(tmp_path / "run", more)
    assert told(after)[:9] == told(before)
    assert len(after) == 15
    assert TrialState.TRAINED in {r.state for r in after[9:]}
