"""Networks that start from the trained plain network: once trained, never touched, waited for."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from blocks import ArchSpec, InvalidInput, UnitSpec, build
from nas.data import DataConfig, load_data
from nas.runs import TrialFolder
from nas.searching.executors import LocalExecutor
from nas.training import Recipe, TrainJob, load_checkpoint, read_info, read_metrics
from nas.training.fit import fit

pytestmark = pytest.mark.integration

PLAIN = ArchSpec(
    backbone="shufflenet_v2",
    width=0.25,
    num_classes=10,
    in_channels=1,
    input_size=16,
    stem_stride=2,
    unit=UnitSpec(kind="none"),
)
UNITS = {
    "sk": UnitSpec(dilations=(1, 2), branch_act=False),
    "se": UnitSpec(kind="se"),
    "none": UnitSpec(kind="none"),
}
SPEC = PLAIN.model_copy(update={"unit": UNITS["sk"]})
DATA = DataConfig(name="digits", limit=160)
RECIPE = Recipe(
    epochs=3, batch_size=32, lr=0.05, weight_decay=5e-4, schedule="constant", ema_decay=0.99
)
PARENT = TrialFolder(Path("parent"))
BOUND = 240  # seconds a process gets for what takes it ten


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    places = LocalExecutor(workers=2, threads=1)
    yield places
    places.stop()


def parent_job(**fields: object) -> TrainJob:
    defaults: dict[str, object] = {
        "spec": PLAIN,
        "data": DATA,
        "recipe": RECIPE,
        "seed": 5,
        "folder": PARENT.path,
        "log_name": "test",
        "log_version": "parent",
        "threads": 1,
    }
    return TrainJob.model_validate(defaults | fields)


def child_job(name: str = "child", **fields: object) -> TrainJob:
    defaults: dict[str, object] = {
        "spec": SPEC,
        "data": DATA,
        "recipe": RECIPE.model_copy(update={"epochs": 2}),
        "seed": 0,
        "folder": Path(name),
        "log_name": "test",
        "log_version": name,
        "start": "plain",
        "parent": parent_job(),
        "threads": 1,
    }
    return TrainJob.model_validate(defaults | fields)


def weights(name: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(Path(name) / "checkpoint.pt", weights_only=True)[
        "model"
    ]
    return state


def assert_same_weights(one: str, other: str) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_a_child_starts_as_what_its_parent_came_to(unit: UnitSpec) -> None:
    history = fit(parent_job())
    job = child_job(spec=PLAIN.model_copy(update={"unit": unit}))
    parent = load_checkpoint(PARENT.checkpoint).model
    child = build(job.spec, start=job.start, pretrained=job.weights).eval()
    wrong = total = 0
    with torch.inference_mode():
        for images, labels in load_data(DATA).val_batches(100, torch.device("cpu")):
            torch.testing.assert_close(child(images), parent(images), rtol=1e-4, atol=1e-5)
            wrong += int((child(images).argmax(1) != labels).sum())
            total += len(labels)
    assert wrong / total == pytest.approx(history[-1].val_error, abs=1e-6)


def test_the_parent_is_trained_once_and_then_never_touched() -> None:
    child = fit(child_job("first"))
    assert len(child) == 2
    content, written = PARENT.checkpoint.read_bytes(), PARENT.checkpoint.stat().st_mtime_ns
    assert [epoch.epoch for epoch in read_metrics(PARENT)] == [1, 2, 3]
    fit(child_job("second", spec=PLAIN.model_copy(update={"unit": UNITS["se"]})))
    fit(parent_job())
    assert PARENT.checkpoint.read_bytes() == content
    assert PARENT.checkpoint.stat().st_mtime_ns == written
    digest = hashlib.sha256(content).hexdigest()
    for name in ("first", "second"):
        info = read_info(Path(name) / "checkpoint.pt")
        assert (info.pretrained, info.start) == (digest, "plain")


def test_a_child_does_not_depend_on_who_trained_its_parent() -> None:
    fit(child_job("with"))
    fit(child_job("after"))
    fit(child_job("from a file", parent=None, pretrained=PARENT.checkpoint))
    assert_same_weights("with", "after")
    assert_same_weights("with", "from a file")


def test_a_child_in_parts_equals_one_at_once() -> None:
    fit(child_job("whole"))
    fit(child_job("parts", stop_epoch=1))
    fit(child_job("parts"))
    assert_same_weights("whole", "parts")


def test_half_a_parent_is_gone_on_from() -> None:
    begun = fit(parent_job(stop_epoch=2))
    fit(child_job())
    assert tuple(read_metrics(PARENT)[:2]) == begun
    assert len(read_metrics(PARENT)) == 3
    fit(parent_job(folder="whole"))
    assert_same_weights("parent", "whole")


def test_a_damaged_parent_is_refused_in_one_line_and_left_as_it_is() -> None:
    fit(parent_job())
    damaged = PARENT.checkpoint.read_bytes()[:-1000]
    PARENT.checkpoint.write_bytes(damaged)
    with pytest.raises(InvalidInput, match=r"damaged one; delete it to have parent") as caught:
        fit(child_job())
    assert "\n" not in str(caught.value)
    assert PARENT.checkpoint.read_bytes() == damaged
    PARENT.checkpoint.unlink()
    assert len(fit(child_job())) == 2


def test_another_training_in_place_of_the_parent_is_refused_in_one_line() -> None:
    fit(parent_job(seed=6))
    with pytest.raises(InvalidInput, match=r"another training \(other seed\)") as caught:
        fit(child_job())
    assert "\n" not in str(caught.value)


def test_a_parent_of_another_geometry_is_refused_in_one_line() -> None:
    wider = parent_job(spec=PLAIN.model_copy(update={"width": 0.5}))
    with pytest.raises(InvalidInput, match=r"not the weights of this plain network") as caught:
        fit(child_job(parent=wider))
    assert "\n" not in str(caught.value)


def test_a_child_goes_on_from_its_own_parent_only() -> None:
    fit(child_job(stop_epoch=1))
    with pytest.raises(InvalidInput, match=r"other pretrained weights"):
        fit(child_job(parent=parent_job(folder="another", seed=6)))


def test_a_child_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    # The package has a function of the module's name.
    monkeypatch.setattr(import_module("nas.training.fit"), "PARENT_SECONDS", 0.1)
    PARENT.path.mkdir()
    with FileLock(PARENT.lock), pytest.raises(InvalidInput, match="parent: another process is"):
        fit(child_job())


def test_a_finished_parent_needs_no_lock() -> None:
    fit(parent_job())
    with FileLock(PARENT.lock):
        assert len(fit(child_job())) == 2


def test_a_job_with_a_parent_is_itself_again_as_json() -> None:
    job = child_job()
    assert TrainJob.model_validate_json(job.model_dump_json()) == job
    assert job.weights == PARENT.checkpoint


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pretrained": "x.pt"}, "two kinds of weights"),
        ({"parent": parent_job(stop_epoch=1)}, "from a finished training"),
        ({"parent": parent_job(folder="child")}, "the folder of the job itself"),
    ],
)
def test_a_parent_that_makes_no_sense_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        child_job(**fields)


def long_parent(epochs: int) -> TrainJob:
    return parent_job(recipe=RECIPE.model_copy(update={"epochs": epochs}))


def wait_for_epoch(folder: TrialFolder) -> None:
    deadline = time.monotonic() + BOUND
    while not read_metrics(folder):
        assert time.monotonic() < deadline, "no epoch was trained"
        time.sleep(0.1)


def wait_for_all(executor: LocalExecutor) -> None:
    deadline = time.monotonic() + BOUND
    while executor.running and time.monotonic() < deadline:
        for ended in executor.wait(1.0):
            assert ended.ended_well, ended.reason
    assert not executor.running


def start(executor: LocalExecutor, number: int, job: TrainJob) -> None:
    job.folder.mkdir(exist_ok=True)
    executor.start(number, job)


@pytest.mark.slow
def test_of_two_children_at_a_time_one_trains_the_parent_and_the_other_waits(
    executor: LocalExecutor,
) -> None:
    for number, name in enumerate(("first", "second")):
        start(executor, number, child_job(name, parent=long_parent(8)))
    wait_for_all(executor)
    # A second training of the parent would begin at 1 again, and leave other bytes than were read.
    assert [epoch.epoch for epoch in read_metrics(PARENT)] == list(range(1, 9))
    digest = hashlib.sha256(PARENT.checkpoint.read_bytes()).hexdigest()
    for name in ("first", "second"):
        assert read_info(Path(name) / "checkpoint.pt").pretrained == digest
    assert_same_weights("first", "second")


@pytest.mark.slow
def test_another_child_goes_on_with_a_parent_whose_process_was_killed(
    executor: LocalExecutor,
) -> None:
    start(executor, 0, child_job("first", parent=long_parent(20)))
    wait_for_epoch(PARENT)
    start(executor, 1, child_job("second", parent=long_parent(20)))
    first = json.loads(PARENT.owner.read_text())
    os.kill(first["pid"], signal.SIGKILL)
    (ended,) = executor.wait(BOUND)
    assert (ended.number, ended.reason) == (0, "killed by signal 9")
    before = read_metrics(PARENT)
    assert len(before) < 20, "the parent was trained before its process could be killed"
    wait_for_all(executor)
    after = read_metrics(PARENT)
    assert after[: len(before)] == before
    assert len(after) == 20
    assert len(read_metrics(TrialFolder(Path("second")))) == 2
