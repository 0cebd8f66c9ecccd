"""Runs of other versions of the program: earlier ones open, later ones say which they need.

``made_by_0.1.0`` holds a run as it was left before search.yaml said its format, without the checkpoints.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import optuna
import pytest
import yaml

from nas.cli.main import main
from nas.runs import RunFolder, TrialState
from nas.searching import read_config, read_run
from nas.searching.acquisition import LINEAR, Acquisition

KEPT = Path(__file__).parent / "made_by_0.1.0"


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """runs/before in the current folder."""
    shutil.copytree(KEPT, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return RunFolder.existing("before")


def test_an_earlier_run_is_read_as_it_was(
    before: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = json.loads(before.pareto.read_text())
    assert main(["pareto", "before", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == kept
    assert main(["report", "before"]) == 0
    _, records = read_run(before)
    assert [r.state for r in records] == [TrialState.TRAINED] + [TrialState.STOPPED] * 5


@pytest.mark.slow
def test_an_earlier_run_goes_on(before: RunFolder) -> None:
    _, kept = read_run(before)
    more = ["--trials", "7", "--total-epochs", "11", "--threads", "1"]
    assert main(["search", "--resume", "before", *more]) == 0
    config, records = read_run(before)
    assert records[:6] == kept
    (new,) = records[6:]
    assert new.epochs in (1, 3)  # to the first rung, or to the end
    fields = yaml.safe_load(before.config.read_text())
    assert (fields["format"], fields["execution"]["threads"]) == (2, 1)
    assert fields["execution"] == config.execution.model_dump()


def test_an_earlier_run_keeps_its_scale(before: RunFolder) -> None:
    assert read_config(before).acquisition == LINEAR
    fields = yaml.safe_load(before.config.read_text())
    before.config.write_text(yaml.safe_dump({**fields, "acquisition": {"images": 30}}))
    assert read_config(before).acquisition == Acquisition(scale="log", images=30)


def test_a_later_run_says_which_version_it_needs(
    before: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    fields = yaml.safe_load(before.config.read_text())
    before.config.write_text(yaml.safe_dump({**fields, "format": 3, "written_by": "3.1.4"}))
    was = before.config.read_bytes()
    for words in (["search", "--resume", "before"], ["pareto", "before"], ["report", "before"]):
        assert main(words) == 2
        (line,) = capfd.readouterr().err.strip().splitlines()
        assert "runs/before/search.yaml: format 3, written by sknas 3.1.4; this is sknas" in line
    assert before.config.read_bytes() == was


@pytest.fixture
def paused(before: RunFolder) -> RunFolder:
    """runs/paused: an interrupted search with early stopping, whose trials are in all states."""
    return RunFolder.existing("paused")


def test_an_interrupted_run_is_read_in_the_states_of_now(
    paused: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = json.loads(paused.pareto.read_text())
    assert main(["pareto", "paused", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == kept
    assert main(["report", "paused"]) == 0
    _, records = read_run(paused)
    states = [(one.number, one.state, one.epochs, one.target_epoch) for one in records]
    assert states == [
        (0, TrialState.STOPPED, 3, 3),
        (1, TrialState.TRAINED, 9, 9),
        (2, TrialState.STOPPED, 3, 3),
        (3, TrialState.DUPLICATE, 0, 0),
        (4, TrialState.STOPPED, 1, 1),
        (5, TrialState.DUPLICATE, 0, 0),
        (6, TrialState.PAUSED, 1, 1),
        (7, TrialState.DUPLICATE, 0, 0),
        (8, TrialState.DUPLICATE, 0, 0),
        (9, TrialState.QUEUED, 1, 3),
        (10, TrialState.QUEUED, 0, 1),
    ]
    assert [one.values for one in records if one.number in (3, 5, 8)] == [records[1].values] * 3
    assert records[7].note == "same network as trial 2"


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_its_end_and_is_exported(paused: RunFolder) -> None:
    _, kept = read_run(paused)
    assert main(["search", "--resume", "paused", "--workers", "1", "--threads", "1"]) == 0
    _, records = read_run(paused)
    open_before = (6, 9, 10)
    for before, after in zip(kept, records, strict=False):
        if before.number not in open_before:
            assert after == before
        else:
            assert after.rung_results[: len(before.rung_results)] == before.rung_results
            assert after.state in (TrialState.TRAINED, TrialState.STOPPED)
    assert records[9].epochs >= 3, "it went on from its checkpoint"
    # Old names were read and new ones written, in one study.
    study = optuna.load_study(study_name="paused", storage=f"sqlite:///{paused.study}")
    assert {"until", "rung_results"} <= set(study.trials[10].user_attrs)
    assert main(["export", "paused", "--trial", "1", "--targets", "onnx"]) == 0
    assert (paused.export("0001") / "manifest.json").is_file()


def test_a_run_that_began_by_zero_cost_scores_is_read_and_not_resumed(
    before: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    fields = yaml.safe_load(before.config.read_text())
    before.config.write_text(yaml.safe_dump({**fields, "warm_start": "synflow"}))
    was = before.config.read_bytes()
    assert main(["pareto", "before"]) == 0
    capfd.readouterr()
    assert main(["search", "--resume", "before"]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "warm_start: synflow: zero-cost scores were removed" in line
    assert before.config.read_bytes() == was
