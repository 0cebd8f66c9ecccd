"""Evaluators: simulated ones, and functions of one's own in the place of trainings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from blocks.errors import InvalidInput
from nas.runs import RunFolder, TrialFolder, TrialState
from nas.searching import read_run
from nas.searching.evaluators import Simulation
from nas.training import TrainJob, read_metrics
from nas.training.evaluate import evaluate, load_evaluator
from tests.nas.searching.search_helpers import (
    SilentView,
    digits_space,
    formula_curve,
    formula_search,
    make_config,
)

GOOD = """
from nas.training import EpochMetrics, read_metrics
from nas.runs import TrialFolder

def evaluate(job, on_epoch):
    epochs = read_metrics(TrialFolder(job.folder))
    for epoch in range(len(epochs) + 1, job.stop_epoch + 1):
        error = 1 / (epoch + job.spec.width)
        epochs.append(EpochMetrics(epoch=epoch, train_loss=error, val_error=error, seconds=1.0))
        on_epoch(epochs[-1])
    return epochs

def raises(job, on_epoch):
    raise ZeroDivisionError("no idea")

def short(job, on_epoch):
    return []

def not_a_number(job, on_epoch):
    return [EpochMetrics(epoch=1, train_loss=1.0, val_error=float("nan"), seconds=1.0)]

def nothing(job, on_epoch): pass

def numbers(job, on_epoch): return [0.3]

def too_few(job): return []

not_callable = 3
"""


def job_of(folder: Path, name: str, stop_epoch: int = 1) -> TrainJob:
    (folder / "own.py").write_text(GOOD)
    spec = next(iter(digits_space("quickstart").enumerate()))
    config = make_config()
    return TrainJob(
        spec=spec, data=config.data, recipe=config.recipe, stop_epoch=stop_epoch, seed=0,
        folder=folder / "trial", log_name="x", log_version="x", evaluator=f"{folder}/own.py:{name}",
    )  # fmt: skip


def test_an_evaluator_takes_the_place_of_training_and_goes_on(tmp_path: Path) -> None:
    told: list[int] = []
    evaluate(job_of(tmp_path, "evaluate", 2), lambda one: told.append(one.epoch))
    evaluate(job_of(tmp_path, "evaluate", 4), lambda one: told.append(one.epoch))
    assert told == [1, 2, 3, 4], "the second one goes on from the first"
    folder = TrialFolder(tmp_path / "trial")
    assert [one.epoch for one in read_metrics(folder)] == [1, 2, 3, 4]
    assert folder.arch.is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", r"own\.py:raises: .*own\.py, line 14: .*no idea"),
        (
            "short",
            r"own\.py, line 16: returns epochs \[\]; expected the EpochMetrics of epochs 1 to 1",
        ),
        ("not_a_number", r"line 19: val_error NaN after epoch 1; expected 0 to 1"),
        ("nothing", r"own\.py, line 22: returns a NoneType; expected the EpochMetrics of epochs"),
        ("too_few", r"own\.py, line 26: TypeError: .*; expected a function of \(job, on_epoch\)"),
        ("numbers", r"own\.py, line 24: returns a list with a float; expected the EpochMetrics"),
        ("not_callable", r"expected a function of \(job, on_epoch\)"),
        ("missing", r"defines no .missing.;"),
    ],
)
def test_a_wrong_evaluator_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        evaluate(job_of(tmp_path, name))


def test_a_job_of_before_has_no_evaluator(tmp_path: Path) -> None:
    job = job_of(tmp_path, "evaluate")
    old = job.model_dump_json(exclude={"evaluator"})
    assert TrainJob.model_validate_json(old).evaluator is None


def test_evaluators_are_found_by_their_reference() -> None:
    found: object = load_evaluator("nas.training.evaluate:evaluate")
    assert found is evaluate


def test_a_simulation_keeps_virtual_time(tmp_path: Path) -> None:
    config = make_config(trials=6, workers=2, recipe={"name": "tiny", "epochs": 3})

    def curve(job: TrainJob) -> list[object]:
        return [one.model_copy(update={"seconds": 2.0}) for one in formula_curve(job)]

    simulation = Simulation(curve, workers=2)  # type: ignore[arg-type]
    _, records = formula_search(tmp_path / "run", config, simulation, SilentView())
    assert [one.state for one in records].count(TrialState.TRAINED) == 6
    assert simulation.now == 18.0, "six trainings of three epochs, two at a time"
    assert len(simulation.ends) == 18
    assert not (tmp_path / "run" / "trials").exists(), "nothing is written for a simulated training"


@pytest.mark.slow
def test_a_search_with_an_evaluator_of_ones_own_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(GOOD)
    (tmp_path / "settings.yaml").write_text("evaluator: own.py:evaluate\n")
    command = [
        sys.executable, "-m", "nas", "search", "--config", "settings.yaml", "--space", "quickstart",
        "--data", "digits", "--recipe", "tiny", "--epochs", "2", "--trials", "3", "--name", "own",
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    run = RunFolder(tmp_path / "runs" / "own")
    config, records = read_run(run)
    assert config.evaluator == "own.py:evaluate"
    trained = [one for one in records if one.state is TrialState.TRAINED]
    assert len(trained) == 3
    for one in trained:
        assert one.values[0] == pytest.approx(1 / (2 + one.spec.width))
        assert not run.trial(one.number).checkpoint.exists()
