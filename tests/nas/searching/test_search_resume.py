"""A search that ends anywhere goes on as if it had not."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState as OptunaState

from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching import SearchConfig
from nas.searching.failures import KILLS
from nas.searching.study import open_study
from tests.nas.searching.search_helpers import (
    Crash,
    FormulaEvaluator,
    SilentView,
    formula_search,
    make_config,
)

Decision = tuple[str, TrialState, tuple[float, ...]]
pytestmark = pytest.mark.integration


def decisions(records: list[TrialRecord]) -> list[Decision]:
    return [(r.key, r.state, r.values) for r in records]


def interrupted_search(
    folder: Path, config: SearchConfig, every: int, crash: type[BaseException] = Crash
) -> list[TrialRecord]:
    """Crash after every ``every`` started trainings, and go on, until the search ends."""
    for _ in range(200):
        executor = FormulaEvaluator(config.execution.workers, crash_after=every, crash=crash)
        try:
            return formula_search(folder, config, executor)[1]
        except crash:
            continue
    raise AssertionError("the search did not end")


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2", "grid"])
def test_with_one_worker_a_resumed_search_decides_as_the_unbroken_one(
    tmp_path: Path, sampler: str
) -> None:
    config = make_config(sampler=sampler, trials=18, budgets={"max_mflops": 3.0})
    _, unbroken = formula_search(tmp_path / "unbroken", config)
    broken = interrupted_search(tmp_path / "broken", config, every=2)
    assert decisions(broken) == decisions(unbroken)


@pytest.mark.parametrize(
    ("sampler", "workers", "interrupt"),
    # rich answers a pipe that nobody reads any more with SystemExit
    [("tpe", 1, KeyboardInterrupt), ("random", 3, SystemExit)],
)
def test_what_is_open_waits_after_an_interrupt_and_changes_nothing(
    tmp_path: Path, sampler: str, workers: int, interrupt: type[BaseException]
) -> None:
    config = make_config(sampler=sampler, trials=12, workers=workers)
    _, unbroken = formula_search(tmp_path / "unbroken", config, FormulaEvaluator(workers))
    executor = FormulaEvaluator(workers, crash_after=5, crash=interrupt)
    with pytest.raises(interrupt):
        formula_search(tmp_path / "broken", config, executor)
    study = open_study(config, RunFolder(tmp_path / "broken"), create=False)
    states = [trial.state for trial in study.get_trials()]
    assert OptunaState.RUNNING not in states
    assert OptunaState.WAITING in states
    broken = interrupted_search(tmp_path / "broken", config, 4, interrupt)
    assert {one[:2] for one in decisions(broken)} == {one[:2] for one in decisions(unbroken)}
    if workers == 1:
        assert decisions(broken) == decisions(unbroken)


def test_a_killed_training_goes_on_and_fails_when_it_gets_no_further(tmp_path: Path) -> None:
    config = make_config(trials=4)
    _, unbroken = formula_search(tmp_path / "unbroken", config)
    greedy = unbroken[1].key
    executor = FormulaEvaluator(kills=lambda job, start: job.spec.key == greedy or start == 1)
    view = SilentView()
    _, records = formula_search(tmp_path / "run", config, executor, view)
    assert [r.key for r in records] == [r.key for r in unbroken]
    failed = [r for r in records if r.state is TrialState.FAILED]
    assert [(r.key, r.note) for r in failed] == [(greedy, "killed by signal 9")]
    assert executor.started.count(greedy) == KILLS
    assert {executor.started.count(r.key) for r in records if r not in failed} == {2}
    assert sum("begins again" in event for event in view.events) == 3 + KILLS - 1


def test_with_several_workers_a_sampler_that_does_not_learn_proposes_the_same(
    tmp_path: Path,
) -> None:
    config = make_config(trials=20, workers=3)
    _, unbroken = formula_search(tmp_path / "unbroken", config, FormulaEvaluator(3))
    for _ in range(100):
        try:
            _, broken = formula_search(tmp_path / "run", config, FormulaEvaluator(3, crash_after=5))
            break
        except Crash:
            continue
    assert {r.key for r in broken} == {r.key for r in unbroken}
    trained = [r.key for r in broken if r.state is TrialState.TRAINED]
    assert len(trained) == len(set(trained)) == 20


class StopAt(Exception):
    """Stands for a kill at one write to the database."""


WRITES = (
    "create_new_trial",
    "set_trial_param",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "set_trial_state_values",
)
SHORT = make_config(sampler="tpe", trials=3, budgets={"max_mflops": 3.0}, seed=1)


def kill_at(write: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the study's database raise instead of its write number ``write``; returns the count."""
    done = [0]

    def counted(name: str) -> None:
        original = getattr(optuna.storages.RDBStorage, name)

        def wrapped(*args: object, **kwargs: object) -> object:
            done[0] += 1
            if done[0] == write + 1:
                raise StopAt
            return original(*args, **kwargs)

        monkeypatch.setattr(optuna.storages.RDBStorage, name, wrapped)

    for name in WRITES:
        counted(name)
    return done


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Decision], int]:
    """What the search decides when nothing happens, and how many writes that takes."""
    with pytest.MonkeyPatch.context() as patch:
        writes = kill_at(-1, patch)
        _, records = formula_search(tmp_path_factory.mktemp("unbroken"), SHORT)
    return decisions(records), writes[0]


@pytest.mark.parametrize("part", [n / 12 for n in range(12)])
def test_a_kill_at_any_write_to_the_study_changes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unbroken: tuple[list[Decision], int],
    part: float,
) -> None:
    expected, writes = unbroken
    # The study exists before the first kill, as it does in a search.
    open_study(SHORT, RunFolder(tmp_path), create=True)
    with monkeypatch.context() as patch:
        kill_at(int(part * writes), patch)
        with pytest.raises(StopAt):
            formula_search(tmp_path, SHORT)
    _, broken = formula_search(tmp_path, SHORT)
    assert decisions(broken) == expected


def test_a_finished_search_that_is_resumed_trains_nothing(tmp_path: Path) -> None:
    config = make_config(trials=5)
    front, _ = formula_search(tmp_path / "run", config)
    executor = FormulaEvaluator()
    again, _ = formula_search(tmp_path / "run", config, executor)
    assert executor.started == []
    assert again == front


def test_a_search_can_go_on_for_more_trials(tmp_path: Path) -> None:
    config = make_config(trials=5)
    formula_search(tmp_path / "run", config)
    _, more = formula_search(tmp_path / "run", config.model_copy(update={"trials": 9}))
    _, at_once = formula_search(tmp_path / "other", config.model_copy(update={"trials": 9}))
    assert decisions(more) == decisions(at_once)
