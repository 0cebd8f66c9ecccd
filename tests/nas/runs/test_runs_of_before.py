"""Runs of other versions of the program: earlier ones open, later ones say which they need.

``made_by_0.1.0`` holds a run as it was left before search.yaml said its format, without the checkpoints.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from nas.cli.main import main
from nas.runs import RunFolder, TrialState
from nas.search import read_run

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
    assert config.format == 1


def test_a_later_run_says_which_version_it_needs(
    before: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    fields = yaml.safe_load(before.config.read_text())
    before.config.write_text(yaml.safe_dump({**fields, "format": 2, "written_by": "3.1.4"}))
    was = before.config.read_bytes()
    for words in (["search", "--resume", "before"], ["pareto", "before"], ["report", "before"]):
        assert main(words) == 2
        (line,) = capfd.readouterr().err.strip().splitlines()
        assert "runs/before/search.yaml: format 2, written by sknas 3.1.4; this is sknas" in line
    assert before.config.read_bytes() == was
