"""Several processes that share every batch: the result of one, whoever of them goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from blocks import ArchSpec, InvalidInput, UnitSpec, build
from nas.data import DataConfig, load_data
from nas.errors import WorkFailed
from nas.runs import RunFolder, TrialFolder
from nas.training import EpochMetrics, TestResult, TrainJob, read_info, read_metrics
from nas.training.fit import Past, _train_share, fit
from nas.training.module import Classifier
from nas.training.processes import History, train_together
from nas.training.rank_info import ALONE, RankInfo
from nas.training.shared_layers import share_layers
from tests.nas.training.test_training_fit import DROPOUT, RECIPE, SPEC, make_job, saved

CPU = torch.device("cpu")
SK = SPEC.model_copy(update={"stem_stride": 1})
# In double precision, for rounding grows tenfold a step in networks that have hardly begun to learn.
DOUBLE = RECIPE.model_copy(update={"epochs": 2, "lr": 0.02, "precision": "64-true"})
BOUND = 60  # seconds
UNEVEN = 25  # images a batch: thirteen and twelve for two processes
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        torch.accelerator.is_available(), reason="processes take GPUs where there are any"
    ),
]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_shares_are_the_batches_in_parts(processes: int) -> None:
    data = load_data(DataConfig(name="digits", limit=120))
    for whole in (data.train_batches(UNEVEN, 0, CPU), data.test_batches(100, CPU)):
        whole.set_epoch(3)
        parts = [whole.share(rank, processes) for rank in range(processes)]
        assert {len(part) for part in parts} == {len(whole)}
        for (images, labels), *shares in zip(whole, *parts, strict=True):
            assert torch.equal(torch.cat([share[0] for share in shares]), images)
            assert torch.equal(torch.cat([share[1] for share in shares]), labels)
            sizes = [len(share[1]) for share in shares]
            assert max(sizes) - min(sizes) <= 1


class Step(torch.nn.Module):
    """The training step as a forward pass, which is what torch's DDP wraps."""

    def __init__(self, module: Classifier) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return self.module.training_step(batch, 0)


def steps_in_double(job: TrainJob, rank_info: RankInfo, tell: object = None) -> History:
    """A few steps, so exact that nothing but the mathematics can tell the processes' number."""
    torch.manual_seed(job.seed)
    net = build(job.spec).double()
    whole = load_data(job.data).train_batches(job.recipe.batch_size, job.seed, CPU)
    if rank_info.processes > 1:
        net = share_layers(net, rank_info, whole.batch_images, CPU)
    module = Classifier(net, job.recipe, 10, len(whole), rank_info, whole.batch_images).double()
    step: torch.nn.Module = Step(module)
    if rank_info.processes > 1:
        step = DistributedDataParallel(step, broadcast_buffers=False)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    for images, labels in whole.share(rank_info.rank, rank_info.processes):
        optimizer.zero_grad()
        step((images.double(), labels)).backward()
        optimizer.step()
    torch.save(module.state_dict(), f"{rank_info.processes}-{rank_info.rank}.pt")
    return ()


@pytest.mark.parametrize(
    "spec",
    [
        SK,
        DROPOUT.model_copy(update={"backbone": "mobilenet_v2", "unit": UnitSpec(kind="gc")}),
    ],
    ids=["sk", "gc, dropout"],
)
def test_a_step_of_two_processes_is_the_step_of_one(spec: ArchSpec) -> None:
    recipe = RECIPE.model_copy(update={"batch_size": UNEVEN})
    job = make_job(
        "a", spec=spec, recipe=recipe, data=DataConfig(name="digits", limit=50), devices=2
    )
    job.folder.mkdir()
    steps_in_double(job, ALONE)
    train_together(partial(steps_in_double, job), job, None)
    alone, first, second = (torch.load(f"{name}.pt") for name in ("1-0", "2-0", "2-1"))
    moved = build(spec).double().state_dict()
    assert alone.keys() == first.keys() == second.keys()
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), f"{name} is another in the second process"
        torch.testing.assert_close(first[name], value, rtol=1e-8, atol=1e-10, msg=name)
    assert moved.keys() == {name.removeprefix("net.") for name in alone}


def state_of_each(job: TrainJob, rank_info: RankInfo, tell: object) -> History:
    """Train, and leave behind what Lightning has at the end in this process."""
    kept: list[Classifier] = []
    initialise = Classifier.__init__

    def note(module: Classifier, *arguments: object, **options: object) -> None:
        initialise(module, *arguments, **options)  # type: ignore[arg-type]
        kept.append(module)

    Classifier.__init__ = note  # type: ignore[method-assign, assignment]
    history = _train_share(job, Past(), rank_info, lambda epoch: None)
    torch.save(kept[0].state_dict(), f"state-{rank_info.rank}.pt")
    return history


def test_two_devices_give_the_errors_of_one_and_the_same_average_on_both() -> None:
    options: dict[str, object] = {
        "spec": SK,
        "recipe": DOUBLE.model_copy(update={"batch_size": UNEVEN}),
        "data": DataConfig(name="digits", limit=50),
    }
    alone = fit(make_job("alone", **options))
    job = make_job("shared", **options, devices=2)
    job.folder.mkdir()
    shared = train_together(partial(state_of_each, job), job, None)
    for one, other in zip(alone, shared, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-6)
        assert other.val_loss == pytest.approx(one.val_loss, rel=1e-6)
        assert other.val_error == one.val_error
    first, second = torch.load("state-0.pt"), torch.load("state-1.pt")
    averages = saved("shared")["model"]
    assert isinstance(averages, dict)
    for name, value in averages.items():
        assert torch.equal(first[f"net.{name}"], value)
        assert torch.equal(second[f"net.{name}"], value)


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_devices() -> None:
    options: dict[str, object] = {
        "spec": SK,
        "recipe": DOUBLE.model_copy(update={"epochs": 3, "batch_size": 201}),
        "data": DataConfig(name="digits", limit=120),
        "full": True,
    }
    whole = fit(make_job("whole", **options))
    parts, told = make_job("parts", **options), list[EpochMetrics]()
    fit(parts.model_copy(update={"stop_epoch": 1}))
    fit(parts.model_copy(update={"stop_epoch": 2, "devices": 2}), told.append)
    assert [epoch.epoch for epoch in told] == [2]
    assert saved("parts")["sknas"]["history"][1] == told[0].model_dump(exclude_none=False)  # type: ignore[index]
    history = fit(parts)
    for one, other in zip(whole, history, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-6)
    first, second = result_of("whole"), result_of("parts")
    assert second.test_loss == pytest.approx(first.test_loss, rel=1e-6)
    assert second.test_error == first.test_error
    # The test alone by two processes: from the last checkpoint, every image once.
    TrialFolder(parts.folder).result.unlink()
    fit(parts.model_copy(update={"devices": 2}))
    again = result_of("parts")
    assert again.test_error == first.test_error
    assert again.test_loss == pytest.approx(first.test_loss, rel=1e-6)


def result_of(name: str) -> TestResult:
    return TestResult.model_validate_json(TrialFolder(Path(name)).result.read_text())


def test_when_one_process_is_killed_all_end() -> None:
    recipe = RECIPE.model_copy(update={"epochs": 1000, "ema_decay": 0.0})
    job = make_job("a", recipe=recipe, data=DataConfig(name="digits", limit=64), devices=2)
    seen = list[psutil.Process]()

    def kill(epoch: EpochMetrics) -> None:
        if not seen:
            seen.extend(members())
            seen[-1].kill()

    with pytest.raises(WorkFailed, match="killed by signal 9"):
        fit(job, kill)
    assert len(seen) == 2
    assert not any(process.is_running() for process in seen)
    assert not members()


def members() -> list[psutil.Process]:
    """The training processes: they lead sessions of their own; the server that forks them does not."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if os.getsid(process.pid) == process.pid]


def test_an_interrupt_ends_the_processes() -> None:
    recipe = RECIPE.model_copy(update={"epochs": 1000})
    job = make_job("a", recipe=recipe, data=DataConfig(name="digits", limit=64), devices=2)
    # A script that starts the tests in the background has SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(job, lambda epoch: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert not members()
    assert len(fit(job.model_copy(update={"recipe": recipe, "stop_epoch": 1, "devices": 1}))) >= 1


def test_an_error_of_a_process_is_the_error_of_the_training() -> None:
    recipe = RECIPE.model_copy(update={"lr": 100.0, "weight_decay": 1.0, "epochs": 4})
    with pytest.raises(FloatingPointError, match=r"training loss is (NaN|inf) in epoch"):
        fit(make_job("a", recipe=recipe, devices=2))


@pytest.mark.parametrize(
    ("devices", "batch", "limit", "message"),
    [(40, 32, 320, "a batch has 32 images; allowed: 1 to 32"), (9, 32, 8, "a batch has 8 images")],
)
def test_more_processes_than_images_of_a_batch_are_refused(
    devices: int, batch: int, limit: int, message: str
) -> None:
    data = DataConfig(name="digits", limit=limit)
    recipe = RECIPE.model_copy(update={"batch_size": batch})
    with pytest.raises(InvalidInput, match=message):
        fit(make_job("a", recipe=recipe, data=data, devices=devices))
    assert not Path("a").exists()


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    with pytest.raises(InvalidInput, match="devices 3: allowed here: 1 to 2, one for each GPU"):
        fit(make_job("a", devices=3))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [pytest.param(1, marks=pytest.mark.long), 2])
def test_the_command_ended_from_outside_leaves_no_process_and_goes_on(devices: int) -> None:
    Path("a.yaml").write_text(SPEC.to_yaml())
    command = [sys.executable, "-m", "nas", "train", "a.yaml", "--data", "digits", "--name", "a"]
    command += ["--epochs", "1000", "--batch-size", "719", "--devices", str(devices), "--json"]
    folder = RunFolder.named("a").full_training(SPEC.key)
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not read_metrics(folder):
            assert parent.poll() is None, parent.communicate()
            time.sleep(0.1)
        below = psutil.Process(parent.pid).children(recursive=True)
        parent.terminate()
        said, complained = parent.communicate(timeout=BOUND)
    finally:
        parent.kill()
    assert (parent.returncode, said) == (1, "")
    *chosen, last = complained.splitlines()
    assert last == "nas: interrupted; the same command continues from the last epoch"
    assert len(chosen) == 1
    assert chosen[0].startswith("recipe tiny: ")
    _, alive = psutil.wait_procs(below, timeout=BOUND)
    assert len(below) >= (3 if devices == 2 else 0), "the server and two that train"
    assert not alive
    assert read_info(folder.checkpoint).history[0].epoch == 1
