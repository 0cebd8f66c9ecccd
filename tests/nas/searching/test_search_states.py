"""States of trials: impossible changes are refused, and Optuna's settings stay the caller's."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from nas.runs import RunFolder, TrialState
from nas.searching import changes
from nas.searching.log import NEXT, ImpossibleChange, TrialLog
from nas.searching.study import open_study
from nas.study import StudyWriter
from tests.nas.searching.search_helpers import digits_space, formula_search, make_config


def test_every_state_has_its_next_ones() -> None:
    assert set(NEXT) == set(TrialState)


def test_a_trial_goes_from_state_to_state_and_no_other_way(tmp_path: Path) -> None:
    config = make_config(recipe={"name": "tiny", "epochs": 9}, early_stopping="pareto")
    log = TrialLog(StudyWriter(open_study(config, RunFolder(tmp_path), create=True)))
    space = digits_space("quickstart")
    spec = next(iter(space.enumerate()))
    log.add(space.to_params(spec), space.distributions(), spec)
    log.add(space.to_params(spec), space.distributions(), spec)
    states = [log.of(0).state]
    with pytest.raises(ImpossibleChange, match="trial 0: from queued to trained"):
        changes.complete(log, 0, (0.5, 1.0))
    changes.begin(log, 0, 9)
    states.append(log.of(0).state)
    changes.repeat(log, 1)
    assert [one.number for one in log.waiting_duplicates()] == [1]
    changes.reach(log, 0, 9, 0.5, 1.0)
    states.append(log.of(0).state)
    changes.complete(log, 0, (0.5, 1.0))
    states.append(log.of(0).state)
    assert [state.value for state in states] == ["queued", "running", "paused", "trained"]
    assert log.of(1).state is TrialState.DUPLICATE
    assert log.of(1).values == (0.5, 1.0)
    for change in (changes.stop, lambda log, number: changes.fail(log, number, "no")):
        with pytest.raises(ImpossibleChange):
            change(log, 0)


class Kept(logging.Handler):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What Optuna reports."""
    handler = Kept()
    logging.getLogger("optuna").addHandler(handler)
    yield handler
    logging.getLogger("optuna").removeHandler(handler)


def test_a_search_leaves_the_settings_of_optuna_and_of_warnings(tmp_path: Path, kept: Kept) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)
    verbosity, filters = optuna.logging.get_verbosity(), list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        formula_search(tmp_path / "run", make_config(trials=3, sampler="tpe"))
    assert not [one for one in caught if one.category is optuna.exceptions.ExperimentalWarning]
    assert optuna.logging.get_verbosity() == verbosity
    assert list(warnings.filters) == filters
    assert kept.lines == []
    optuna.create_study()
    assert kept.lines[0].startswith("A new study created"), "a study of the caller is reported"
