"""A real file system that is full, has room again, and is then read-only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from nas.runs import RunFolder, TrialState
from nas.searching import read_run
from nas.training import read_info, read_metrics

# Of three checkpoints of the space's networks, old and new ones counted, it takes two.
SCRIPT = """
import contextlib, os, shutil, subprocess
from pathlib import Path
from nas.cli.main import main

def mount(*words):
    subprocess.run(["mount", *words, "runs"], check=True)

def nas(step, *words):
    with open(f"{step}.out", "w") as out, open(f"{step}.err", "w") as err:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
    Path(f"{step}.code").write_text(str(code))

if __name__ == "__main__":
    mount("-t", "tmpfs", "-o", "size=12m", "none")
    nas("full", "search", "--space", "quickstart", "--data", "digits", "--limit", "256",
        "--recipe", "tiny", "--epochs", "2", "--trials", "2", "--threads", "1",
        "--sampler", "random", "--seed", "5", "--name", "first")
    shutil.copytree("runs/first", "full")
    mount("-o", "remount,size=200m")
    nas("resumed", "search", "--resume", "first")
    shutil.copytree("runs/first", "resumed")
    mount("--bind", "runs")
    mount("-o", "remount,bind,ro")
    nas("resume", "search", "--resume", "first", "--trials", "3")
    nas("report", "report", "first")
    nas("train", "train", "first", "--pick", "knee", "--recipe", "tiny", "--epochs", "1")
    nas("pareto", "pareto", "first")
    shutil.copytree("runs/first", "read-only")
"""

pytestmark = [pytest.mark.slow]


def private_mounts() -> bool:
    words = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "x", "/mnt"]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what was said at each step, and the run after it."""
    if not private_mounts():
        pytest.skip("no file system can be mounted here")
    folder = tmp_path_factory.mktemp("disk")
    (folder / "runs").mkdir()
    (folder / "walk.py").write_text(SCRIPT)
    subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "walk.py"],
        cwd=folder,
        timeout=550,
        check=True,
    )
    return folder


def error(folder: Path, step: str, code: int) -> str:
    """The one line that a step ended with."""
    lines = (folder / f"{step}.err").read_text().strip().splitlines()
    assert (folder / f"{step}.code").read_text() == str(code), lines
    assert len(lines) == 1, lines
    return lines[0]


def states(run: Path) -> dict[int, str]:
    study = optuna.load_study(study_name="first", storage=f"sqlite:///{run}/study.db")
    return {trial.number: trial.state.name for trial in study.get_trials()}


def test_a_full_disk_ends_the_search_and_fails_no_trial(broken: Path) -> None:
    line = error(broken, "full", 1)
    assert "trial 1: " in line
    assert "No space left on device" in line
    assert line.endswith("continue with: nas search --resume first")
    assert states(broken / "full") == {0: "COMPLETE", 1: "WAITING"}
    assert [e.epoch for e in read_metrics(RunFolder(broken / "full").trial(1))] == [1]
    assert len(read_info(RunFolder(broken / "full").trial(1).checkpoint).history) == 1
    assert not list((broken / "full").rglob("*.tmp"))


def test_with_room_again_it_goes_on_where_it_stopped(broken: Path) -> None:
    assert (broken / "resumed.code").read_text() == "0", (broken / "resumed.err").read_text()
    before = read_metrics(RunFolder(broken / "full").trial(1))
    after = read_metrics(RunFolder(broken / "resumed").trial(1))
    assert after[: len(before)] == before
    _, records = read_run(RunFolder(broken / "resumed"))
    assert [record.state for record in records] == [TrialState.TRAINED] * 2


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("resume", 1),
        ("report", 1),
        ("train", 2),
    ],  # a training makes a folder, which is refused first
)
def test_a_read_only_disk_is_said_in_one_line(step: str, code: int, broken: Path) -> None:
    assert "Read-only file system" in error(broken, step, code)


def test_on_a_read_only_disk_the_front_can_be_looked_at_and_nothing_changes(broken: Path) -> None:
    assert (broken / "pareto.code").read_text() == "0"
    for file in (broken / "resumed").rglob("*"):
        if file.is_file():
            assert (
                file.read_bytes()
                == (broken / "read-only" / file.relative_to(broken / "resumed")).read_bytes()
            )
