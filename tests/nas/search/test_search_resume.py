"""A search that ends anywhere goes on as if it had not."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from search_helpers import Crash, FormulaExecutor, formula_search, make_config

from nas.runs import Outcome, RunFolder, TrialRecord
from nas.search import SearchConfig
from nas.search.study import open_study

Decision = tuple[str, Outcome, tuple[float, ...]]


def decisions(records: list[TrialRecord]) -> list[Decision]:
    return [(r.key, r.outcome, r.values) for r in records]


def interrupted_search(folder: Path, config: SearchConfig, every: int) -> list[TrialRecord]:
    """Crash after every ``every`` started trainings, and go on, until the search ends."""
    for _ in range(200):
        try:
            return formula_search(folder, config, FormulaExecutor(1, crash_after=every))[1]
        except Crash:
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


def test_with_several_workers_a_sampler_that_does_not_learn_proposes_the_same(
    tmp_path: Path,
) -> None:
    config = make_config(trials=20, workers=3)
    _, unbroken = formula_search(tmp_path / "unbroken", config, FormulaExecutor(3))
    for _ in range(100):
        try:
            _, broken = formula_search(tmp_path / "run", config, FormulaExecutor(3, crash_after=5))
            break
        except Crash:
            continue
    assert {r.key for r in broken} == {r.key for r in unbroken}
    trained = [r.key for r in broken if r.outcome is Outcome.TRAINED]
    assert len(trained) == len(set(trained)) == 20


class StopAt(Exception):
    """Stands for a kill at one write to the database."""


@pytest.mark.parametrize("at", [0, 1, 3, 7, 12, 13, 14, 15, 20, 33, 34, 35, 47, 60])
def test_a_kill_at_any_write_to_the_study_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    config = make_config(sampler="tpe", trials=6, budgets={"max_mflops": 3.0}, seed=1)
    _, unbroken = formula_search(tmp_path / "unbroken", config)
    # The study exists before the first kill, as it does in a search.
    open_study(config, RunFolder(_folder(tmp_path / "broken")), create=True)
    writes = 0
    storage = optuna.storages.RDBStorage

    def killing(name: str) -> None:
        original = getattr(storage, name)

        def write(*args: object, **kwargs: object) -> object:
            nonlocal writes
            if writes == at:
                writes += 1
                raise StopAt
            writes += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(storage, name, write)

    for name in (
        "create_new_trial",
        "set_trial_param",
        "set_trial_user_attr",
        "set_trial_system_attr",
        "set_trial_state_values",
    ):
        killing(name)
    with pytest.raises(StopAt):
        formula_search(tmp_path / "broken", config)
    monkeypatch.undo()
    _, broken = formula_search(tmp_path / "broken", config)
    assert decisions(broken) == decisions(unbroken)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_finished_search_that_is_resumed_trains_nothing(tmp_path: Path) -> None:
    config = make_config(trials=5)
    front, _ = formula_search(tmp_path / "run", config)
    executor = FormulaExecutor()
    again, _ = formula_search(tmp_path / "run", config, executor)
    assert executor.started == []
    assert again == front


def test_a_search_can_go_on_for_more_trials(tmp_path: Path) -> None:
    config = make_config(trials=5)
    formula_search(tmp_path / "run", config)
    _, more = formula_search(tmp_path / "run", config.model_copy(update={"trials": 9}))
    _, at_once = formula_search(
        tmp_path / "other", config.model_copy(update={"trials": 9})
    )
    assert decisions(more) == decisions(at_once)
