"""The training process: its exit code, its error.txt, and that it ends with its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from blocks import ArchSpec, UnitSpec
from nas.data import DataConfig
from nas.runs import TrialFolder, write_text
from nas.searching.executors import LocalExecutor
from nas.searching.executors.base import hand_over
from nas.training import RECIPES, TrainJob, read_metrics

pytestmark = pytest.mark.integration

SPEC = ArchSpec(
    backbone="shufflenet_v2",
    width=0.5,
    num_classes=10,
    in_channels=1,
    input_size=16,
    stem_stride=2,
    unit=UnitSpec(kind="none"),
)
BOUND = 120  # seconds a process gets for what takes it ten


def make_job(folder: Path, epochs: int, **changes: object) -> TrainJob:
    fields: dict[str, object] = {
        "spec": SPEC,
        "data": DataConfig(name="digits", limit=64),
        "recipe": RECIPES["tiny"].model_copy(update={"epochs": epochs}),
        "seed": 0,
        "folder": folder.resolve(),
        "log_name": "test",
        "log_version": folder.name,
    }
    return TrainJob.model_validate(fields | changes)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    """Two places; whatever a failing test leaves in them is ended."""
    places = LocalExecutor(workers=2, threads=1)
    yield places
    places.stop()


def trainings(parent: int | None = None) -> list[psutil.Process]:
    """The training processes of this process, or of ``parent``: each leads a session of its own."""
    children = psutil.Process(parent).children(recursive=True)
    return [child for child in children if os.getsid(child.pid) == child.pid]


def wait_for_epoch(folder: TrialFolder) -> None:
    deadline = time.monotonic() + BOUND
    while not read_metrics(folder):
        assert time.monotonic() < deadline, "no epoch was trained"
        time.sleep(0.1)


def test_a_process_a_job_and_each_says_how_it_ended(executor: LocalExecutor) -> None:
    good = make_job(Path("good"), epochs=1)
    bad = make_job(Path("bad"), epochs=1, data=DataConfig(name="imagefolder:nowhere"))
    executor.start(0, good)
    executor.start(1, bad)
    assert executor.free == 0
    assert executor.running == (0, 1)
    ended = {}
    deadline = time.monotonic() + BOUND
    while executor.running and time.monotonic() < deadline:
        ended.update({one.number: one for one in executor.wait(1.0)})
    assert ended[0].ended_well
    assert len(read_metrics(TrialFolder(good.folder))) == 1
    assert not ended[1].ended_well
    assert "nowhere" in ended[1].reason
    assert "nowhere" in TrialFolder(bad.folder).error.read_text()
    assert executor.free == 2


def test_a_killed_process_is_reported_and_leaves_the_reason(executor: LocalExecutor) -> None:
    job = make_job(Path("a"), epochs=1000)
    executor.start(0, job)
    wait_for_epoch(TrialFolder(job.folder))
    (child,) = trainings()
    os.kill(child.pid, signal.SIGKILL)
    (ended,) = executor.wait(BOUND)
    assert not ended.ended_well
    assert ended.reason == "killed by signal 9"
    assert "killed by signal 9" in TrialFolder(job.folder).error.read_text()


@pytest.mark.slow
def test_a_search_goes_on_when_the_server_that_forks_was_killed(executor: LocalExecutor) -> None:
    lost, next_one = make_job(Path("a"), epochs=1000), make_job(Path("b"), epochs=1)
    executor.start(0, lost)
    wait_for_epoch(TrialFolder(lost.folder))
    (training,) = trainings()
    server = training.parent()
    assert server is not None
    server.kill()
    (ended,) = executor.wait(BOUND)
    assert not ended.ended_well
    _, alive = psutil.wait_procs([training], timeout=BOUND)
    assert not alive, "nobody would have known of it"
    executor.start(1, next_one)
    (ended,) = executor.wait(BOUND)
    assert ended.ended_well, ended.reason
    again = psutil.Process(forkserver._forkserver._forkserver_pid)  # type: ignore[attr-defined]
    again.kill()
    executor.start(2, make_job(Path("c"), epochs=1))
    (ended,) = executor.wait(BOUND)
    assert ended.ended_well, ended.reason


def test_a_training_is_in_the_folder_of_the_time(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor.start(0, make_job(Path("early"), epochs=1))
    executor.wait(BOUND)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    executor.start(0, make_job(Path("late"), epochs=1000))
    wait_for_epoch(TrialFolder(Path("late")))
    (training,) = trainings()
    assert training.cwd() == str(tmp_path / "elsewhere")
    executor.stop()


def test_stop_leaves_no_process(executor: LocalExecutor) -> None:
    others = multiprocessing.active_children()  # of other tests
    executor.start(0, make_job(Path("a"), epochs=1000))
    # Stopped at once: it may not lead a session of its own yet.
    (child,) = (one for one in multiprocessing.active_children() if one not in others)
    executor.stop()
    assert child.exitcode == -signal.SIGKILL
    assert child.pid is not None
    assert not psutil.pid_exists(child.pid)
    assert executor.running == ()


PARENT = """
import sys, time
from nas.searching.executors import LocalExecutor
from nas.searching.executors.base import hand_over
from nas.training import TrainJob
executor = LocalExecutor(workers=1, threads=1)
executor.start(0, TrainJob.model_validate_json(open(sys.argv[1]).read()))
time.sleep(1000)
"""


@pytest.mark.slow
def test_a_process_ends_with_its_parent_however_that_ended(executor: LocalExecutor) -> None:
    job = make_job(Path("a"), epochs=1000)
    write_text(Path("job.json"), job.model_dump_json())
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "job.json"])
    try:
        wait_for_epoch(TrialFolder(job.folder))
        (worker,) = trainings(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs([worker], timeout=BOUND)
    assert not alive
    # What it left can be gone on from.
    before = read_metrics(TrialFolder(job.folder))
    more = job.model_copy(update={"stop_epoch": len(before) + 3})
    executor.start(0, more)
    (ended,) = executor.wait(BOUND)
    assert ended.ended_well, ended.reason
    after = read_metrics(TrialFolder(job.folder))
    assert after[: len(before)] == before
    assert len(after) >= len(before) + 3


def test_only_one_process_writes_to_a_trial(executor: LocalExecutor) -> None:
    job = make_job(Path("a"), epochs=1000)
    executor.start(0, job)
    wait_for_epoch(TrialFolder(job.folder))
    second = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from nas.training import worker; worker.LOCK_SECONDS = 1;"
            "from pathlib import Path; sys.exit(worker.main(Path(sys.argv[1])))",
            str(TrialFolder(job.folder).job),
        ],
        timeout=BOUND,
        check=False,
    )
    executor.stop()
    assert second.returncode == 1
    assert "another process" in TrialFolder(job.folder).error.read_text()


def test_what_a_killed_parent_left_half_written_goes(tmp_path: Path) -> None:
    half = tmp_path / ".job.json.4711.tmp"
    half.write_text('{"spec"')
    folder = hand_over(make_job(tmp_path, epochs=1), threads=1)
    assert not half.exists()
    assert TrainJob.model_validate_json(folder.job.read_text()).threads == 1
