"""``nas confirm``: real trainings on digits; and simulated ones for what needs many of them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock

import nas
from blocks.errors import InvalidInput
from nas.cli.main import main
from nas.errors import WorkFailed
from nas.runs import RunFolder, TrialFolder
from nas.searching import read_config, read_front, read_run
from nas.searching.confirm import ConfirmedFront, confirm_run, read_confirmed
from nas.searching.confirm.stored import read_plan
from nas.searching.evaluators import Finished, Simulation
from nas.searching.uncertainty import front_uncertainty
from nas.training import EpochMetrics, TrainJob, read_metrics
from nas.training.metrics import write_metrics
from tests.nas.report.report_runs import FakeSearch
from tests.nas.searching.search_helpers import Crash, SilentView, search_command, trainings

Answers = dict[tuple[int, int], float]


class SeededTrainings(Simulation):
    """Trainings whose errors depend on the network and, a little, on the seed."""

    def __init__(
        self,
        run: RunFolder,
        workers: int = 1,
        crash_after: int | None = None,
        fails: Callable[[TrainJob], bool] = lambda job: False,
    ) -> None:
        super().__init__(self._curve, workers, self._fate)
        self.seeds: list[tuple[str, int]] = []
        self._errors = {one.key: one.values[0] for one in read_run(run)[1] if one.values}
        self._crash_after, self._fails = crash_after, fails

    def start(self, number: int, job: TrainJob) -> None:
        if len(self.seeds) == self._crash_after:
            raise Crash
        self.seeds.append((job.folder.name, job.seed))
        super().start(number, job)
        if not self._fails(job):
            write_metrics(TrialFolder(job.folder), tuple(self._curve(job)))

    def _curve(self, job: TrainJob) -> list[EpochMetrics]:
        luck = np.random.default_rng(job.seed).normal(0, 0.01)
        error = min(1.0, max(0.0, self._errors[job.spec.key] + luck))
        return [
            EpochMetrics(epoch=epoch, train_loss=1.0, val_error=error, val_images=288, seconds=1.0)
            for epoch in range(1, job.recipe.epochs + 1)
        ]

    def _fate(self, number: int, job: TrainJob, times: int) -> Finished | None:
        if self._fails(job):
            return Finished(number, ended_well=False, reason="it did not work")
        return None


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSearch:
    """A finished search of nine networks, without checkpoints, in runs/first."""
    monkeypatch.chdir(tmp_path)
    search = FakeSearch(tmp_path / "runs", settings={"trials": 9})
    search.train_some(9)
    return search


def confirmed(run: RunFolder, **options: object) -> tuple[ConfirmedFront, SeededTrainings]:
    own = {
        name: options.pop(name) for name in ("workers", "crash_after", "fails") if name in options
    }
    evaluator = SeededTrainings(run, **own)  # type: ignore[arg-type]
    found = confirm_run(run, SilentView(), evaluator=evaluator, **options)  # type: ignore[arg-type]
    return found, evaluator


def answers(run: RunFolder) -> Answers:
    """What every training has come to."""
    plan = read_plan(run)
    assert plan is not None
    ends = {one: read_metrics(run.repeat(one.trial, one.repeat)) for one in plan.repeats}
    return {
        (one.trial, one.repeat): last[-1].val_error or 0.0 for one, last in ends.items() if last
    }


def test_means_take_the_place_of_single_errors(search: FakeSearch) -> None:
    before = read_front(search.run)
    found, evaluator = confirmed(search.run)
    epochs = read_config(search.run).epochs
    assert found.epochs == len(evaluator.seeds) * epochs <= 3 * len(before.points) * epochs
    assert len({seed for _, seed in evaluator.seeds}) == len(evaluator.seeds)
    _, records = read_run(search.run)
    repeats = answers(search.run)
    for point in found.front.points:
        errors = [records[point.trial].values[0]]
        errors += [error for (trial, _), error in repeats.items() if trial == point.trial]
        assert point.values[0] == pytest.approx(np.mean(errors))
        assert found.trainings[point.trial] == len(errors) >= 2
        rate = found.rates[point.trial]
        assert rate.low < point.values[0] < rate.high
    assert read_front(search.run).points == found.front.points
    shown = front_uncertainty(search.run, read_front(search.run))
    assert shown.rates == {p.trial: found.rates[p.trial] for p in found.front.points}
    assert (shown.steps, shown.unsure) == (len(found.steps), len(found.steps) - found.decided)
    assert not found.by_image
    assert "networks are compared by seeds alone" in shown.sentence


@pytest.mark.parametrize("workers", [1, 3])
def test_killed_at_any_time_and_called_again_it_comes_to_the_same(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new(name: str) -> RunFolder:
        one = FakeSearch(tmp_path / "runs", name)
        one.train_some(9)
        return one.run

    monkeypatch.chdir(tmp_path)
    whole = new("whole")
    expected, unbroken = confirmed(whole, workers=workers)
    assert unbroken.seeds
    for crash_after in range(0, len(unbroken.seeds), 3):
        run = new(f"broken{crash_after}")
        with pytest.raises(Crash):
            confirmed(run, workers=workers, crash_after=crash_after)
        found, _ = confirmed(run, workers=workers)
        assert answers(run) == answers(whole)
        assert found.rates == expected.rates
        assert found.membership == expected.membership


def test_the_number_of_workers_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = []
    for workers in (1, 2, 4):
        one = FakeSearch(tmp_path / "runs", f"by{workers}")
        one.train_some(9)
        confirmed(one.run, workers=workers)
        found.append(answers(one.run))
    assert found[0] == found[1] == found[2]


def test_more_epochs_go_on_and_fewer_change_nothing(search: FakeSearch) -> None:
    epochs = read_config(search.run).epochs
    confirmed(search.run, epochs=2 * epochs + 1)
    first = answers(search.run)
    assert len(first) == 2
    found, evaluator = confirmed(search.run, epochs=epochs)
    assert (answers(search.run), evaluator.seeds) == (first, [])
    confirmed(search.run, epochs=4 * epochs)
    assert len(answers(search.run)) == 4
    assert first.items() <= answers(search.run).items()
    assert found.epochs == 2 * epochs


def test_another_recipe_counts_its_own_trainings(
    search: FakeSearch, capfd: pytest.CaptureFixture[str]
) -> None:
    found, evaluator = confirmed(search.run, recipe="full", epochs=6 * 30)
    assert len(evaluator.seeds) <= 6
    assert sum(found.trainings.values()) == len(evaluator.seeds)
    assert {point.trial for point in found.front.points} <= set(found.trainings)
    assert "recipe full" in found.sentences[0]
    assert main(["confirm", "first", "--recipe", "proxy"]) == 2
    assert "holds trainings by recipe full" in capfd.readouterr().err
    again, _ = confirmed(search.run, epochs=30)
    assert again.recipe == "full"


def test_a_training_that_fails_leaves_the_others(search: FakeSearch) -> None:
    first = read_front(search.run).points[0].trial
    found, evaluator = confirmed(
        search.run, fails=lambda job: job.folder.name.startswith(f"{first:04d}")
    )
    assert sum(name.startswith(f"{first:04d}") for name, _ in evaluator.seeds) == 1
    assert found.trainings[first] == 1
    plan = read_plan(search.run)
    assert plan is not None
    assert [one.failure for one in plan.repeats if one.trial == first] == ["it did not work"]


def test_it_gives_up_when_the_first_trainings_all_fail(search: FakeSearch) -> None:
    with pytest.raises(WorkFailed, match="the first 3 trainings have all failed"):
        confirmed(search.run, fails=lambda job: True)


def test_the_cheapest_that_is_not_worse(
    search: FakeSearch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["pareto", "first", "--pick", "not-worse"]) == 2
    assert "nas confirm first" in capfd.readouterr().err
    found, _ = confirmed(search.run)
    run = nas.open_run("first")
    picked, best = run.pick("not-worse"), found.front.points[-1]
    assert not found.estimates.better(best.trial, picked.trial)
    column = found.front.objectives.index("mflops")
    for point in found.front.points:
        if point.values[column] < picked.values[column]:
            assert found.estimates.better(best.trial, point.trial)
    cheap = found.front.points[0]
    assert run.pick("not-worse", max_mflops=cheap.values[column]).trial == cheap.trial
    assert main(["pareto", "first", "--pick", "not-worse"]) == 0
    assert f"take trial {picked.trial}" in capfd.readouterr().out
    assert main(["pareto", "first", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["confirmed"]["epochs"] == found.epochs
    for point in document["front"]:
        assert point["trainings"] == found.trainings[point["trial"]]
        assert point["not_told_apart_from"] == list(found.alike(point["trial"]))
    assert "nas confirm" not in run._repr_html_()


def test_a_network_that_is_resumed_later_stands_beside_the_confirmed(search: FakeSearch) -> None:
    confirmed(search.run)
    search.train_some(2)
    found = read_confirmed(search.run)
    assert found is not None
    assert {9, 10} <= set(found.rates)
    assert found.trainings[10] == 1


BAD: dict[str, tuple[Callable[[FakeSearch], object], list[str], str]] = {
    "no such run": (lambda search: None, ["second"], "no such run"),
    "not ended": (lambda search: search.propose(), [], "not ended"),
    "too few epochs": (lambda search: None, ["--epochs", "1"], "one training takes"),
    "no epochs": (lambda search: None, ["--epochs", "0"], "one training takes"),
    "unknown recipe": (lambda search: None, ["--recipe", "best"], "best"),
    "no workers": (lambda search: None, ["--workers", "0"], "--workers 0: allowed: 1 or more"),
    "damaged": (
        lambda search: write(search.run.confirmation, "{"),
        [],
        "confirm.json",
    ),
    "of a later version": (
        lambda search: write(search.run.confirmation, '{"format": 2}'),
        [],
        "format",
    ),
    "other images": (
        lambda search: write(search.run.confirmation, '{"format": 1, "images": "of before"}'),
        [],
        "the validation images have changed",
    ),
    "a file in its place": (
        lambda search: write(search.run.path / "confirm", ""),
        [],
        "confirm",
    ),
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_request_is_one_line(
    case: str, search: FakeSearch, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, words, said = BAD[case]
    spoil(search)
    run = [] if case == "no such run" else ["first"]
    assert main(["confirm", *run, *words]) == 2
    err = capfd.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    assert said in err


TWICE = '{"format": 1, "repeats": [{"trial": 1, "repeat": 1}, {"trial": 1, "repeat": 1}]}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "confirm.json: format: missing"),
        (TWICE, "trial 1, repeat 1 comes twice"),
        ('{"format": 1, "repeats": [{"trial": 77, "repeat": 1}]}', "trial 77 is no trained trial"),
        (None, "not a text file in a folder"),
    ],
)
@pytest.mark.parametrize("command", ["pareto", "confirm", "report"])
def test_a_plan_that_cannot_be_is_refused(
    content: str | None,
    said: str,
    command: str,
    search: FakeSearch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if content is None:
        search.run.confirmation.mkdir(parents=True)
    else:
        write(search.run.confirmation, content)
    assert main([command, "first"]) == 2
    err = capfd.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    assert said in err


@pytest.mark.parametrize("error", [-5.0, 1.5])
def test_an_error_that_cannot_be_is_refused(
    error: float, search: FakeSearch, capfd: pytest.CaptureFixture[str]
) -> None:
    confirmed(search.run)
    folder = search.run.repeat(*next(iter(answers(search.run))))
    last = read_metrics(folder)
    write_metrics(folder, (*last[:-1], last[-1].model_copy(update={"val_error": error})))
    assert main(["pareto", "first"]) == 2
    err = capfd.readouterr().err
    assert f"{folder.metrics.name}: val_error is {error:g}; allowed: 0 to 1" in err
    assert len(err.strip().splitlines()) == 1, err


def test_what_an_interrupted_confirmation_lacks_is_said(
    search: FakeSearch, capfd: pytest.CaptureFixture[str]
) -> None:
    searched = {point.trial for point in read_front(search.run).points}
    with pytest.raises(Crash):
        confirmed(search.run, recipe="full", epochs=6 * 30, crash_after=1)
    found = read_confirmed(search.run)
    assert found is not None
    assert found.unfinished >= 1
    assert set(found.left_out) == searched - set(found.trainings)
    assert main(["pareto", "first"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "left out here because recipe full has not trained them yet" in said
    assert f"unfinished: {found.unfinished} training" in said
    done, _ = confirmed(search.run, epochs=30 * 9)
    assert (done.unfinished, done.left_out) == (0, ())


def test_a_budget_that_no_network_keeps_is_refused_before_the_trainings(
    search: FakeSearch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["confirm", "first", "--max-mflops", "0.001"]) == 2
    assert "keeps max_mflops 0.001" in capfd.readouterr().err
    assert read_plan(search.run) is None


@pytest.mark.parametrize("words", [["--pick", "foo"], ["--pick", "knee", "--max-mflops", "5"]])
def test_a_wrong_pick_is_refused_before_the_trainings(
    search: FakeSearch, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["confirm", "first", *words]) == 2
    assert "--pick" in capfd.readouterr().err
    assert read_plan(search.run) is None


def test_a_run_without_trained_networks_cannot_be_confirmed(tmp_path: Path) -> None:
    search = FakeSearch(tmp_path / "runs")
    search.fail("it did not work")
    with pytest.raises(InvalidInput, match="no trained trial"):
        confirm_run(search.run, SilentView())


def test_one_process_at_a_time(search: FakeSearch) -> None:
    with (
        FileLock(search.run.lock, timeout=0),
        pytest.raises(InvalidInput, match="another process"),
    ):
        confirmed(search.run)


def test_another_metric_says_what_its_intervals_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search = FakeSearch(tmp_path / "runs")
    search.train_some(5)
    fields = yaml.safe_load(search.run.config.read_text())
    fields["recipe"]["metric"] = "balanced_error"
    search.run.config.write_text(yaml.safe_dump(fields))
    found, _ = confirmed(search.run)
    assert "for seeds alone: the balanced error" in found.sentences[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished search on digits, of two networks and one epoch."""
    folder = tmp_path_factory.mktemp("confirm")
    done = subprocess.run(
        search_command("real", "--trials", "2", "--epochs", "1", "--threads", "1"),
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def confirm_command(*more: str) -> list[str]:
    return [sys.executable, "-m", "nas", "confirm", "real", *more]


@pytest.mark.integration
def test_real_trainings_are_compared_image_by_image(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained)
    run = nas.open_run("real")
    found = run.confirm(epochs=2, progress=False)
    assert found.epochs == 2
    assert (found.by_image, found.images) == (True, 288)
    plan = read_plan(run.folder)
    assert plan is not None
    for one in plan.repeats:
        folder = run.folder.repeat(one.trial, one.repeat)
        with np.load(folder.right) as content:
            right = np.unpackbits(content["right"], count=int(content["images"]))
        assert 1 - right.mean() == pytest.approx(read_metrics(folder)[-1].val_error)
        own, other = (
            torch.load(path, weights_only=True)["model"]
            for path in (run.checkpoint(one.trial), folder.checkpoint)
        )
        assert any(not torch.equal(own[name], other[name]) for name in own)
    assert run.front == found.front
    assert "n = 288" in run.uncertainty.sentence
    assert found.front.points[0].trial in {one.trial for one in plan.repeats}
    assert "seeds" in run.report().read_text(encoding="utf-8")
    assert main(["pareto", "real"]) == 0
    assert "means over trainings with different seeds" in capfd.readouterr().out
    # A search that goes on does not put single trainings back in place of the means.
    assert main(["search", "--resume", "real"]) == 0
    written = json.loads(run.folder.pareto.read_text(encoding="utf-8"))
    assert [one["values"]["error"] for one in written["front"]] == [
        point.values[0] for point in found.front.points
    ]
    capfd.readouterr()
    # Without epochs left nothing is trained, and the same is printed.
    assert main(["confirm", "real", "--epochs", "2", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["confirmed"]["by_image"]


@pytest.mark.integration
def test_changed_images_are_refused(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    run = RunFolder.existing("real")
    kept = run.config.read_text()
    fields = yaml.safe_load(kept)
    fields["data"]["scale_jitter"] = 0.3  # other pictures under the same names
    run.config.write_text(yaml.safe_dump(fields))
    for path in list(run.path.rglob("right.npz")):
        path.unlink()
    try:
        with pytest.raises(InvalidInput, match="changed since"):
            confirm_run(run, SilentView(), epochs=2)
    finally:
        run.config.write_text(kept)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_and_called_again_real_trainings_come_to_the_same(
    tmp_path: Path,
) -> None:
    broken, unbroken = tmp_path / "broken", tmp_path / "unbroken"
    broken.mkdir()
    words = ["--trials", "2", "--epochs", "2", "--threads", "1", "--limit", "256"]
    done = subprocess.run(
        search_command("real", *words), cwd=broken, capture_output=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    shutil.copytree(broken, unbroken)
    parent = subprocess.Popen(
        confirm_command("--epochs", "4"), cwd=broken, stdout=subprocess.DEVNULL
    )
    run = RunFolder(broken / "runs/real")
    deadline = time.monotonic() + 300
    while not [path for path in run.path.glob("confirm/*/metrics.jsonl") if path.read_text()]:
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    begun = trainings(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for folder in (broken, unbroken):
        done = subprocess.run(
            confirm_command("--epochs", "4"),
            cwd=folder,
            capture_output=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert not any(one.is_running() for one in begun)
    assert answers(run) == answers(RunFolder(unbroken / "runs/real"))
    one, other = (read_confirmed(RunFolder(at / "runs/real")) for at in (broken, unbroken))
    assert one is not None
    assert other is not None
    assert one.rates == other.rates
