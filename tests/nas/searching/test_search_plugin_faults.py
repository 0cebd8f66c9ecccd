"""What a search does with the fault of a plug-in that shows only inside a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.plugins import PluginFault, PluginRaised
from nas.runs import RunFolder, TrialRecord, TrialState, write_text
from nas.searching.evaluators import Finished, Simulation
from nas.searching.study import open_study
from nas.study import read_records
from nas.training import TrainJob
from nas.training.warn import warnings_in
from tests.nas.searching.search_helpers import (
    FormulaEvaluator,
    SilentView,
    formula_curve,
    formula_search,
    make_config,
)

CONFIG = make_config(trials=4)
EPOCH = '{"epoch": 1, "train_loss": 1.0, "val_error": 0.5, "seconds": 1.0}\n'


def ends(at: int, kind: type[PluginFault]) -> Simulation:
    """Trainings of which that of trial ``at``, counted as they start, ends by the fault of a plug-in."""
    ended: list[int] = []

    def fate(number: int, job: TrainJob, times: int) -> Finished | None:
        ended.append(number)
        if len(ended) != at:
            return None
        return Finished(number, ended_well=False, reason="own.py, line 3: no", fault=kind)

    return Simulation(formula_curve, 1, fate)


def states(folder: Path) -> list[TrialState]:
    study = open_study(CONFIG, RunFolder(folder), create=False)
    records: list[TrialRecord] = read_records(study)
    return [one.state for one in records if one.state is not TrialState.DUPLICATE]


@pytest.mark.parametrize(("at", "kind"), [(1, PluginRaised), (1, PluginFault), (3, PluginFault)])
def test_the_search_stops_and_goes_on_when_the_plug_in_is_fixed(
    tmp_path: Path, at: int, kind: type[PluginFault]
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(kind, match=r"^own\.py, line 3: no$"):
        formula_search(folder, CONFIG, ends(at, kind))
    left = states(folder)
    assert left.count(TrialState.TRAINED) == at - 1
    assert TrialState.FAILED not in left
    _, records = formula_search(folder, CONFIG, FormulaEvaluator())
    assert [one.number for one in records if one.state is TrialState.FAILED] == []
    assert [one.state for one in records].count(TrialState.TRAINED) == 4


def test_what_a_plug_in_raises_after_an_epoch_of_another_trial_fails_one_trial(
    tmp_path: Path,
) -> None:
    _, records = formula_search(tmp_path / "run", CONFIG, ends(2, PluginRaised))
    assert [one.note for one in records if one.state is TrialState.FAILED] == ["own.py, line 3: no"]


def test_an_epoch_of_a_training_that_runs_counts(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    config = make_config(trials=4, workers=2)
    simulation = ends(1, PluginRaised)
    simulation.workers = 2
    write_text(RunFolder(folder).trial(1).metrics, EPOCH)
    _, records = formula_search(folder, config, simulation, SilentView())
    assert [one.state for one in records].count(TrialState.FAILED) == 1


def test_a_warning_of_trainings_is_shown_once(tmp_path: Path) -> None:
    output = tmp_path / "output.txt"
    assert warnings_in(output) == ()
    write_text(output, "GPU: no\nwarning: own.py, line 3: idle\nwarning: own.py, line 3: idle\n")
    warnings = warnings_in(output)

    def fate(number: int, job: TrainJob, times: int) -> Finished:
        return Finished(number, tuple(formula_curve(job)), warnings=warnings)

    view = SilentView()
    formula_search(tmp_path / "run", CONFIG, Simulation(formula_curve, 1, fate), view)
    assert view.events.count("warning: own.py, line 3: idle") == 1
