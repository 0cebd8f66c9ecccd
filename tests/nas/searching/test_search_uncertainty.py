"""Intervals of the errors of a front."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import nas
from nas.cli.main import main
from nas.evaluation import wilson
from nas.runs import RunFolder
from nas.searching import read_front
from nas.searching.uncertainty import front_uncertainty

KEPT = Path(__file__).parents[1] / "runs" / "made_by_0.1.0"


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run of version 0.1, in the current folder."""
    shutil.copytree(KEPT, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return RunFolder.existing("before")


def say_images(run: RunFolder, count: int) -> None:
    """Have the metrics of every trial say how many validation images there were."""
    for path in run.path.glob("trials/*/metrics.jsonl"):
        lines = [json.loads(line) | {"val_images": count} for line in path.read_text().splitlines()]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_a_run_of_before_has_no_intervals(before: RunFolder) -> None:
    found = front_uncertainty(before, read_front(before))
    assert (dict(found.rates), found.sentence) == ({}, "")


def test_steps_below_the_uncertainty_are_counted(
    before: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    say_images(before, 42)
    front = read_front(before)
    (point,) = front.points
    found = front_uncertainty(before, front)
    assert found.rates[point.trial] == (rate := wilson(round(point.values[0] * 42), 42))
    assert main(["pareto", "before"]) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert f"({100 * rate.low:.1f} to {100 * rate.high:.1f})" in out
    assert main(["pareto", "before", "--json"]) == 0
    (printed,) = json.loads(capfd.readouterr().out)["front"]
    assert printed["error_interval"] == pytest.approx([rate.low, rate.high])
    assert f"({rate.low:.3g} to {rate.high:.3g})" in nas.open_run("before")._repr_html_()

    points = [point]
    for trial, value in ((90, point.values[0] - 0.02), (91, 0.1)):
        shutil.copytree(before.trial(point.trial).path, before.trial(trial).path)
        points.append(replace(point, trial=trial, values=(value, 9.0)))
    front = replace(front, points=tuple(points))
    sentence = front_uncertainty(before, front).sentence
    assert sentence.startswith(
        "1 of 2 steps of the front are smaller than the uncertainty of n = 42"
    )
    say_images(before, 10_000)
    assert front_uncertainty(before, front).sentence == ""


def test_another_metric_has_the_interval_that_its_training_kept(
    before: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    fields = yaml.safe_load(before.config.read_text())
    fields["recipe"]["metric"] = "balanced_error"
    before.config.write_text(yaml.safe_dump(fields))
    say_images(before, 42)
    for path in before.path.glob("trials/*/metrics.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        known = {"metric": "balanced_error", "val_interval": [0.01, 0.5]}
        path.write_text("".join(f"{json.dumps(line | known)}\n" for line in lines))
    (point,) = read_front(before).points
    rate = front_uncertainty(before, read_front(before)).rates[point.trial]
    assert (rate.value, rate.low, rate.high) == (point.values[0], 0.01, 0.5)
    assert main(["pareto", "before"]) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "balanced" in out
    assert "(1.0 to 50.0)" in out


def test_another_metric_of_before_is_named_and_has_no_interval(
    before: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    say_images(before, 42)
    fields = yaml.safe_load(before.config.read_text())
    fields["recipe"]["metric"] = "balanced_error"
    before.config.write_text(yaml.safe_dump(fields))
    assert main(["pareto", "before"]) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "the balanced error is of n = 42 validation images, without an interval" in out
