"""Real searches with real trainings, killed with SIGKILL and gone on with."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import optuna
import psutil
import pytest
from filelock import FileLock

from nas.runs import RunFolder, TrialFolder, TrialState
from nas.searching import read_run
from nas.training import read_metrics
from tests.nas.searching.search_helpers import Keep, resume, search_command, trainings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
BOUND = 240


def command(name: str, *more: str) -> list[str]:
    return search_command(name, "--limit", "256", "--epochs", "4", *more)


@dataclass
class Chaos:
    """A search that is killed at random moments, parent and trainings in turn, and gone on with.

    Args:
        folder: Where it runs.
        name: Of the run.
        rng: Of the moments.
    """

    folder: Path
    name: str
    rng: random.Random
    parents: int = 0
    workers: int = 0
    lives: int = 0

    def run(self, arguments: list[str], kills: int) -> None:
        """Kill so many times, as long as the search runs; then let it end."""
        run = RunFolder(self.folder / "runs" / self.name)
        while self.parents + self.workers < kills and not run.pareto.is_file():
            self._one_life(arguments)
            arguments = resume(self.name) if run.config.is_file() else arguments
        done = subprocess.run(
            arguments, cwd=self.folder, capture_output=True, text=True, timeout=BOUND, check=False
        )
        assert done.returncode == 0, done.stderr

    def _one_life(self, arguments: list[str]) -> None:
        """Kill a training, then its parent; sometimes the parent at once, whatever it is at."""
        self.lives += 1
        with (self.folder / "output.txt").open("ab") as output:
            parent = subprocess.Popen(arguments, cwd=self.folder, stdout=output, stderr=output)
        if self.rng.random() < 0.2:
            self._wait(parent, self.rng.uniform(0, 20))
        elif self._a_training(parent) is not None:
            self._let_train(parent, self.rng.randrange(4))
            if (worker := self._a_training(parent)) is not None:
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
                    self.workers += 1
            self._let_train(parent, self.rng.randrange(3))
        if parent.poll() is None:
            children = psutil.Process(parent.pid).children(recursive=True)
            parent.kill()
            self.parents += 1
            _, alive = psutil.wait_procs(children, timeout=30)
            assert not alive, "a process outlived its parent"
        assert parent.wait() in (0, -signal.SIGKILL), (self.folder / "output.txt").read_text()

    def _let_train(self, parent: subprocess.Popen[bytes], epochs: int) -> None:
        """Wait for so many epochs, however busy the machine is, and then a moment."""
        goal = self._epochs() + epochs
        deadline = time.monotonic() + BOUND
        while self._epochs() < goal and parent.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self._wait(parent, self.rng.uniform(0, 0.5))

    def _epochs(self) -> int:
        """Epochs that all trials have trained."""
        trials = RunFolder(self.folder / "runs" / self.name).path.glob("trials/*")
        return sum(len(read_metrics(TrialFolder(trial))) for trial in trials)

    def _wait(self, parent: subprocess.Popen[bytes], seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            parent.wait(seconds)

    def _a_training(self, parent: subprocess.Popen[bytes]) -> psutil.Process | None:
        deadline = time.monotonic() + BOUND
        while parent.poll() is None:
            with suppress(psutil.NoSuchProcess):
                if begun := trainings(parent.pid):
                    return self.rng.choice(begun)
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return None


def result(folder: Path, name: str) -> list[tuple[int, str, TrialState, tuple[float, ...]]]:
    _, records = read_run(RunFolder(folder / "runs" / name))
    return [(r.number, r.key, r.state, r.values) for r in records]


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.mark.parametrize(
    ("workers", "sampler"), [(2, "random"), pytest.param(1, "tpe", marks=pytest.mark.long)]
)
def test_killed_and_resumed_gives_the_trials_and_values_of_the_unbroken_run(
    workers: int,
    sampler: str,
    kills: int,
    keep: Keep,
    tmp_path: Path,
) -> None:
    """Not one lost, not one twice, not one other. One worker with a sampler that learns, two without."""
    arguments = [
        "--trials", str(3 + kills // 3), "--workers", str(workers), "--threads", "1",
        "--sampler", sampler,
    ]  # fmt: skip
    chaos = Chaos(tmp_path, "broken", random.Random(kills))
    chaos.run(command("broken", *arguments), kills)
    assert chaos.parents + chaos.workers >= kills
    assert min(chaos.parents, chaos.workers) >= kills // 3
    unbroken = subprocess.run(
        command("unbroken", *arguments),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=10 * BOUND,
        check=False,
    )
    assert unbroken.returncode == 0, unbroken.stderr
    broken, expected = result(tmp_path, "broken"), result(tmp_path, "unbroken")
    trained = [key for _, key, outcome, _ in broken if outcome is TrialState.TRAINED]
    keep(
        "kills",
        {
            "workers": workers,
            "sampler": sampler,
            "parents killed": chaos.parents,
            "trainings killed": chaos.workers,
            "searches begun or resumed": chaos.lives + 1,
            "trials": len(broken),
            "trained": len(trained),
            "lost": len(set(expected) - set(broken)),
            "other than unbroken": len(set(broken) - set(expected)),
            "trained twice": len(trained) - len(set(trained)),
        },
    )
    assert broken == expected
    assert len(trained) == len(set(trained))
    run = RunFolder(tmp_path / "runs/broken")
    for number, _, outcome, values in broken:
        if outcome is TrialState.TRAINED:
            epochs = read_metrics(run.trial(number))
            assert [e.epoch for e in epochs] == [1, 2, 3, 4]
            assert epochs[-1].val_error == values[0]


@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_cleanly_and_says_how_to_go_on(
    request_to_end: signal.Signals, tmp_path: Path
) -> None:
    """Said twice, as ``timeout`` does."""
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
    parent.send_signal(request_to_end)
    time.sleep(0.1)
    parent.send_signal(request_to_end)
    _, err = parent.communicate(timeout=60)
    assert parent.returncode == 1
    assert err.strip() == "nas: interrupted; continue with: nas search --resume first"
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    study = optuna.load_study(
        study_name="first", storage=f"sqlite:///{tmp_path}/runs/first/study.db"
    )
    assert {trial.state for trial in study.get_trials()} == {optuna.trial.TrialState.WAITING}
    with FileLock(RunFolder(tmp_path / "runs/first").lock, timeout=0):
        pass


def test_a_suspended_training_does_not_wake_beside_the_one_in_its_place(tmp_path: Path) -> None:
    arguments = ["--trials", "1", "--workers", "1", "--threads", "1"]
    parent = subprocess.Popen(command("first", *arguments), cwd=tmp_path, stdout=subprocess.DEVNULL)
    run = RunFolder(tmp_path / "runs/first")
    deadline = time.monotonic() + BOUND
    while not read_metrics(run.trial(0)):
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (worker,) = trainings(parent.pid)
    worker.suspend()
    parent.kill()
    parent.wait()
    done = subprocess.run(
        resume("first"), cwd=tmp_path, capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "left over from before was ended" in done.stdout
    assert not worker.is_running()
    assert [one[2] for one in result(tmp_path, "first")] == [TrialState.TRAINED]
    assert [e.epoch for e in read_metrics(run.trial(0))] == [1, 2, 3, 4]


def test_a_training_without_memory_fails_alone(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        command(
            "first", "--trials", "2", "--workers", "1", "--threads", "1", "--sampler", "random"
        ),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + BOUND
    while not (begun := trainings(parent.pid)):
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # The limit of this one process only: room for what Python needs, and not for the network's maps.
    room = psutil.Process(begun[0].pid).memory_info().data + 16 * 2**20
    psutil.Process(begun[0].pid).rlimit(psutil.RLIMIT_DATA, (room, room))
    assert parent.wait(BOUND) == 0
    _, records = read_run(RunFolder(tmp_path / "runs/first"))
    assert [record.state for record in records] == [TrialState.FAILED, TrialState.TRAINED]
    assert records[0].note
