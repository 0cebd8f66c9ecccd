"""Modules and evaluators that are wrong only inside a training, and trials without a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nas
from blocks.errors import InvalidInput
from nas.cli.main import main

pytestmark = pytest.mark.integration

OWN = """
from pathlib import Path
from nas import EpochMetrics
from nas.training.module import Classifier

class Silent(Classifier):
    def validation_step(self, batch, index): pass
    def on_validation_epoch_end(self): pass

class Elsewhere(Classifier):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.net = None

class Late(Classifier):
    def training_step(self, batch, index):
        import nowhere_at_all

def judge(job, on_epoch):
    error = 1 / (1 + job.spec.width)
    return [
        EpochMetrics(epoch=epoch, train_loss=error, val_error=error, seconds=0)
        for epoch in range(1, job.stop_epoch + 1)
    ]

def percent(job, on_epoch):
    on_epoch(EpochMetrics(epoch=1, train_loss=1, val_error=55, seconds=0))

def theirs(job, on_epoch): EpochMetrics(foo=3)

def lost(job, on_epoch): open("nowhere.csv")

def endless(job, on_epoch):
    on_epoch(EpochMetrics(epoch=1, train_loss=float("inf"), val_error=0.5, seconds=0))

class Cma:
    def __new__(self, seed):
        from optuna.samplers import CmaEsSampler
        return CmaEsSampler(seed=seed)

def notes(job, on_epoch):
    Path(job.folder, "notes.txt").write_text("an hour's work")
    return judge(job, on_epoch) if Path("fixed").exists() else None

def too_large(job, on_epoch): raise MemoryError("this network")
"""
SEARCH = [
    "search", "--space", "quickstart", "--data", "digits", "--recipe", "tiny", "--epochs", "1",
    "--sampler", "random", "--name", "own",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(OWN.splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--module own.py:Silent", f"line {line_of('class Silent')}: val_error: logs none"),
        ("--module own.py:Elsewhere", f"line {line_of('class Elsewhere')}: its attribute net"),
        (
            "--module own.py:Late",
            f"line {line_of('nowhere')}, in training_step: ModuleNotFoundError",
        ),
        (
            "--evaluator own.py:percent",
            f"line {line_of('def percent')}: val_error 55 after epoch 1",
        ),
        ("--evaluator own.py:theirs", f"line {line_of('def theirs')}: EpochMetrics: epoch: Field"),
        (
            "--evaluator own.py:lost",
            f"line {line_of('def lost')}: No such file or directory: nowhere.csv; expected",
        ),
        (
            "--evaluator own.py:endless",
            f"line {line_of('def endless')}: train_loss inf after epoch 1",
        ),
        ("--sampler own.py:Cma", f"line {line_of('class Cma')}: ValueError: If the study"),
    ],
)
def test_a_fault_found_in_the_first_training_is_one_line_and_leaves_nothing(
    options: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    own = [*SEARCH, "--trials", "5", *options.split()]
    assert main(own) == 2
    error = capfd.readouterr().err
    assert error.startswith(f"nas: {options.removeprefix('--')}: ")
    assert error.count("\n") == 1, error
    assert f"own.py, {said}" in error
    assert "expected" in error
    assert error.endswith("; nothing was trained, and runs/own was removed\n")
    assert not list(Path("runs").iterdir())
    assert not list(Path("lightning_logs").glob("*"))


def test_a_run_that_holds_more_is_kept_and_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "--trials", "1", "--evaluator", "own.py:notes"]) == 2
    error = capfd.readouterr().err
    assert "returns a NoneType; expected the EpochMetrics of epochs 1 to 1; when that is" in error
    assert error.endswith("go on with: nas search --resume own\n")
    Path("fixed").touch()
    assert main(["search", "--resume", "own"]) == 0
    assert [one.state.value for one in nas.open_run("own").trials] == ["trained"]


def test_trainings_that_fail_one_by_one_fail_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "--trials", "5", "--evaluator", "own.py:too_large"]) == 1
    error = capfd.readouterr().err
    assert f"own.py, line {line_of('def too_large')}: MemoryError: this network" in error
    assert main(["runs", "--json"]) == 0
    (listed,) = json.loads(capfd.readouterr().out)
    assert listed["state"] == "failed"
    assert main(["runs"]) == 0
    assert "failed" in capfd.readouterr().out


def test_a_trial_without_a_checkpoint_is_trained_in_full_and_exported_then(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main([*SEARCH, "--trials", "2", "--evaluator", "own.py:judge"]) == 0
    run = nas.open_run("own")
    knee = run.pick("knee").trial
    train, export = (
        line.removeprefix("next:").split("(")[0].split()[1:]
        for line in capfd.readouterr().out.splitlines()[-2:]
    )
    said = (
        f"nas: runs/own: trial {knee} has no checkpoint: the evaluator of the run, own.py:judge, wrote "
        f"none; train it first: nas train own --trial {knee}; then the checkpoint of the full training "
        "is taken\n"
    )
    for words in (export, ["export", "own", "--pick", "knee"]):
        assert main(words) == 2, words
        assert capfd.readouterr().err == said
    for refused in (run.load, run.export):
        with pytest.raises(InvalidInput, match=f"trial {knee} has no checkpoint"):
            refused(knee)
    with pytest.raises(InvalidInput, match=r"no trained trial 7; there are: 0, 1$"):
        run.train(7)
    assert main([*train, "--recipe", "tiny", "--epochs", "1"]) == 0
    assert main([*export, "--images", "50"]) == 0
    assert Path(f"runs/own/export/{knee:04d}/manifest.json").is_file()
    assert not run.load(knee).training
