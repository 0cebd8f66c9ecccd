"""Real searches with real trainings, killed with SIGKILL and gone on with."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from nas.runs import Outcome, RunFolder, TrialRecord
from nas.search import read_run
from nas.training import read_metrics

pytestmark = pytest.mark.slow
BOUND = 240


def command(name: str, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "nas", "search", "--space", "quickstart", "--data", "digits",
        "--limit", "256", "--recipe", "tiny", "--epochs", "4", "--seed", "5", "--name", name, *more,
    ]  # fmt: skip


def resume(name: str) -> list[str]:
    return [sys.executable, "-m", "nas", "search", "--resume", name]


def trainings(parent: int) -> list[psutil.Process]:
    """The training processes of ``parent``: each leads a session of its own."""
    children = psutil.Process(parent).children(recursive=True)
    return [child for child in children if os.getsid(child.pid) == child.pid]


def kill_in_the_middle(arguments: list[str], folder: Path, rng: random.Random) -> bool:
    """Kill the parent at a random moment of its trainings; False when it ended before that."""
    with (folder / "output.txt").open("ab") as output:
        parent = subprocess.Popen(arguments, cwd=folder, stdout=output, stderr=output)
    deadline = time.monotonic() + BOUND
    while parent.poll() is None and not trainings(parent.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    try:
        parent.wait(rng.uniform(1, 8))
    except subprocess.TimeoutExpired:
        children = psutil.Process(parent.pid).children(recursive=True)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive, "a training outlived its parent"
        return True
    assert parent.returncode == 0, (folder / "output.txt").read_text()
    return False


def run_with_kills(arguments: list[str], name: str, folder: Path, kills: int) -> int:
    rng = random.Random(0)
    killed = 0
    while killed < kills and kill_in_the_middle(arguments, folder, rng):
        killed += 1
        run = RunFolder(folder / "runs" / name)
        arguments = resume(name) if run.config.is_file() and run.study.is_file() else arguments
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert done.returncode == 0, done.stderr
    return killed


def decisions(folder: Path, name: str) -> list[tuple[int, str, Outcome, tuple[float, ...]]]:
    _, records = read_run(RunFolder(folder / "runs" / name))
    return [(r.number, r.key, r.outcome, r.values) for r in records]


def test_one_worker_killed_and_resumed_gives_the_trials_and_values_of_the_unbroken_run(
    tmp_path: Path,
) -> None:
    arguments = ["--trials", "4", "--workers", "1", "--threads", "1"]
    unbroken = subprocess.run(
        command("unbroken", *arguments),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert unbroken.returncode == 0, unbroken.stderr
    killed = run_with_kills(command("broken", *arguments), "broken", tmp_path, kills=3)
    assert killed >= 1
    assert decisions(tmp_path, "broken") == decisions(tmp_path, "unbroken")


def test_two_workers_killed_and_resumed_lose_and_repeat_nothing(tmp_path: Path) -> None:
    arguments = ["--trials", "4", "--workers", "2", "--threads", "1", "--sampler", "random"]
    killed = run_with_kills(command("broken", *arguments), "broken", tmp_path, kills=2)
    assert killed >= 1
    run = RunFolder(tmp_path / "runs/broken")
    _, records = read_run(run)
    trained: list[TrialRecord] = [r for r in records if r.outcome is Outcome.TRAINED]
    assert len({r.key for r in trained}) == len(trained) == 4
    assert all(r.outcome is not Outcome.RUNNING for r in records)
    for one in trained:
        epochs = read_metrics(run.trial(one.number))
        assert [e.epoch for e in epochs] == [1, 2, 3, 4]
        assert epochs[-1].val_error == one.values[0]


def test_an_interrupt_stops_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        command("first", "--trials", "4", "--workers", "2"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job that a script starts in the background inherits an ignored SIGINT; a terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + BOUND
    while len(trainings(parent.pid)) < 2:
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(parent.pid).children(recursive=True)
    parent.send_signal(signal.SIGINT)
    _, err = parent.communicate(timeout=60)
    assert parent.returncode == 1
    assert err.strip() == "nas: interrupted; go on with: nas search --resume first"
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
