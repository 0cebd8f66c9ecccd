"""A study read out of its file is the study that Optuna reads."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState as OptunaState
from optuna.trial import create_trial

from blocks import ArchSpec
from nas.runs import RunFolder
from nas.searching import read_run
from nas.study import quiet, read_study, record_of
from nas.study.sqlite_file import FileStudy
from nas.study.stored import FAILURE, INFEASIBLE, PROPOSAL, STOPPED, proposal

pytestmark = pytest.mark.integration

KEPT = Path(__file__).parents[1] / "runs/made_by_0.1.0"
SPEC = ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=10, input_size=32, stem_stride=1)
WRITING = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1])
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
database.execute("ROLLBACK")
"""


def by_optuna(file: Path, name: str) -> optuna.Study:
    with quiet():
        return optuna.load_study(storage=f"sqlite:///{file}", study_name=name)


def assert_same(read: FileStudy | None, study: optuna.Study) -> None:
    assert read is not None
    assert read.objectives == len(study.directions)
    assert list(read.metric_names or ()) == (study.metric_names or [])
    trials = study.get_trials()
    assert [one.number for one in read.trials] == [one.number for one in trials]
    for one, trial in zip(read.trials, trials, strict=True):
        assert one.state.name == trial.state.name
        assert one.values == (None if trial.values is None else tuple(trial.values))
        assert one.user_attrs == trial.user_attrs
        assert one.constraints == trial.constraints
        if PROPOSAL in trial.user_attrs:
            assert record_of(one) == record_of(trial)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A study with every kind of trial; another study lies in the same file."""
    file = tmp_path / "a study #1.db"
    with quiet():
        for name in ("other", "mine"):
            study = optuna.create_study(
                storage=f"sqlite:///{file}", study_name=name, directions=["minimize"] * 2
            )
            if name == "mine":
                study.set_metric_names(["error", "mflops"])
            _fill(study)
    return file


def _fill(study: optuna.Study) -> None:
    proposed = {PROPOSAL: proposal(SPEC)}
    for values in ([0.5, 8.0], [math.inf, -math.inf], [0.1 + 0.2, 1e-300]):
        study.add_trial(create_trial(values=values, user_attrs=proposed))
    for state, note in (
        (OptunaState.FAIL, {FAILURE: 'it said "no" twice: ä\n'}),
        (OptunaState.PRUNED, {INFEASIBLE: "max_mflops"}),
        (OptunaState.PRUNED, {STOPPED: "at epoch 3"}),
        (OptunaState.RUNNING, {}),
        (OptunaState.WAITING, {}),
    ):
        constraints = {"max_mflops": 0.5, "max_params": -1.0} if INFEASIBLE in note else None
        study.add_trial(
            create_trial(state=state, user_attrs={**proposed, **note}, constraints=constraints)
        )
    old = create_trial(
        state=OptunaState.PRUNED, user_attrs=proposed, system_attrs={"constraints": [0.25, -2.0]}
    )
    study.add_trial(old)
    study.add_trial(create_trial(state=OptunaState.FAIL))  # cut off before it was a proposal


@pytest.mark.parametrize("name", ["before", "paused"])
def test_an_earlier_run_is_read_as_optuna_reads_it(name: str, tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    file.write_bytes((KEPT / name / "study.db").read_bytes())
    assert_same(read_study(file, name), by_optuna(file, name))


def test_every_kind_of_trial_is_read_as_optuna_reads_it(file: Path) -> None:
    assert_same(read_study(file, "mine"), by_optuna(file, "mine"))
    assert_same(read_study(file, "other"), by_optuna(file, "other"))


def test_reading_writes_nothing(file: Path) -> None:
    was = file.read_bytes()
    read_study(file, "mine")
    assert file.read_bytes() == was
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("name", ["a?mode=rwc", "100%", "%41", "#1"])
def test_any_path_is_read(name: str, file: Path) -> None:
    kept = read_study(file, "mine")
    moved = file.rename(file.with_name(name))
    assert kept is not None
    assert read_study(moved, "mine") == kept
    assert list(file.parent.iterdir()) == [moved]


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    assert read_study(tmp_path / "study.db", "mine") is None
    assert list(tmp_path.iterdir()) == []


def test_a_missing_study_is_not_read(file: Path) -> None:
    assert read_study(file, "nowhere") is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE version_info SET schema_version = 13",
        "UPDATE alembic_version SET version_num = 'v9.0.0.a'",
        "DROP TABLE trial_values",
        "UPDATE trials SET state = 'DREAMING' WHERE number = 1",
        "UPDATE trial_values SET value_type = 'HUGE'",
        "UPDATE trial_values SET value = NULL",
        "UPDATE trial_user_attributes SET value_json = '{'",
        "UPDATE study_directions SET direction = 'MAXIMIZE'",
        "DELETE FROM trials WHERE number = 0",
        "DELETE FROM trial_values WHERE objective = 0",
    ],
)
def test_an_unknown_layout_is_left_to_optuna(change: str, file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(change)
    assert read_study(file, "mine") is None


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.999])
def test_a_file_cut_short_is_left_to_optuna(share: float, file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    assert read_study(file, "mine") is None


@contextmanager
def locked(file: Path, seconds: float) -> Iterator[None]:
    """Another process writes to the file for so long, or until it is ended."""
    command = [sys.executable, "-c", WRITING, str(file), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield
        process.kill()


def test_a_locked_file_is_left_to_optuna(file: Path) -> None:
    with locked(file, 60):
        assert read_study(file, "mine") is None
    assert read_study(file, "mine") is not None


def test_a_run_is_read_after_a_long_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path / "before")
    run.path.mkdir()
    for name in ("search.yaml", "study.db"):
        (run.path / name).write_bytes((KEPT / "before" / name).read_bytes())
    kept = read_run(run)
    with locked(run.study, 2.5):  # longer than the file is waited for here
        assert read_run(run) == kept


def test_an_interrupted_write_is_left_to_optuna(file: Path, tmp_path: Path) -> None:
    kill = "import os, sqlite3, sys\ndatabase = sqlite3.connect(sys.argv[1])\n"
    kill += "database.execute('PRAGMA cache_size = 1')\n"
    kill += (
        "database.execute('UPDATE trial_user_attributes SET value_json = hex(randomblob(9000))')\n"
    )
    kill += "os._exit(0)\n"
    was = read_study(file, "mine")
    subprocess.run([sys.executable, "-c", kill, str(file)], check=True)
    assert file.with_name(f"{file.name}-journal").stat().st_size
    assert read_study(file, "mine") in (None, was)
    assert_same(was, by_optuna(file, "mine"))  # Optuna rolls it back
    assert read_study(file, "mine") == was
