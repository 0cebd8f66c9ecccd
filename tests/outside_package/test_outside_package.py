"""A package outside the tree, installed, adds one plug-in of each kind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nas.runs import RunFolder, TrialState
from nas.searching import read_front, read_run
from nas.training import read_info

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(__file__).parent
PARTS = """
import torch
from blocks import ArchSpec
from nas.cost import COSTS, costs_on, own_objectives
from nas.data import DataConfig, load_data
from nas.plugins import Expected, reference_to, resolve
from nas.searching.samplers import make_sampler
from nas.training.own_module import module_class

data = load_data(DataConfig(name="sknas_outside:stripes", input_size=16, workers=0))
assert (data.info.num_classes, data.info.in_channels, data.info.train_images) == (3, 1, 240)
_, own = own_objectives(["sknas_outside:depth"], COSTS)
assert costs_on(None, own)["depth"](ArchSpec(backbone="shufflenet_v2")) == 16
assert module_class("sknas_outside:Focal").__name__ == "Focal"
assert make_sampler("sknas_outside:sampler", 0)
evaluate = resolve("sknas_outside:evaluate", "evaluator", Expected("a function", callable))
assert reference_to(evaluate, "evaluator") == "sknas_outside.evaluator:evaluate"
"""
SEARCH = [
    "search", "--space", "quickstart", "--data", "sknas_outside:stripes", "--input-size", "16",
    "--objectives", "error,sknas_outside:depth", "--max", "depth=100",
    "--module", "sknas_outside:Focal", "--evaluator", "sknas_outside:evaluate",
    "--sampler", "sknas_outside:sampler", "--recipe", "tiny", "--epochs", "2", "--trials", "5",
    "--workers", "2", "--seed", "0", "--name", "outside",
]  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the package; its files are a copy, as installing makes."""
    site = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "package"  # building writes beside it
    shutil.copytree(PACKAGE, source)
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--target", str(site), str(source),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=300)
    path = os.pathsep.join([str(site), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_each_of_its_plugins_is_found(installed: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARTS], cwd=tmp_path, env=installed, timeout=300, check=False
    )
    assert done.returncode == 0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)


def nas(folder: Path, environment: dict[str, str], *words: str) -> tuple[int, str]:
    """Run a command: its exit code, and what it says on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "nas", *words],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=900,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_search_with_all_five_is_killed_and_resumed(
    installed: dict[str, str], folder: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", *SEARCH], cwd=folder, env=installed, start_new_session=True
    )
    run = RunFolder(folder / "runs" / "outside")
    while not list(run.path.glob("trials/*/metrics.jsonl")) and process.poll() is None:
        time.sleep(0.2)
    assert process.poll() is None
    for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        one.send_signal(signal.SIGKILL)
    process.wait()
    before = {one.number: one.key for one in read_run(run)[1]}
    assert before

    without = {**installed, "PYTHONPATH": str(ROOT)}
    resume = ("search", "--resume", "outside")
    code, said = nas(folder, without, *resume)
    assert code == 2
    assert said.count("\n") == 1
    assert "no module 'sknas_outside' in this Python; install the package" in said
    for reading in (["pareto", "outside"], ["report", "outside"], ["runs"]):
        assert nas(folder, without, *reading) == (0, "")  # they need no plug-in

    code, said = nas(folder, installed, *resume)
    assert code == 0, said
    config, records = read_run(run)
    trained = [one for one in records if one.state is TrialState.TRAINED]
    assert len(trained) == 5
    assert {one.number: one.key for one in records}.items() >= before.items()  # nothing is lost
    assert config.objectives == ("error", "depth")
    assert (config.module, config.evaluator) == ("sknas_outside:Focal", "sknas_outside:evaluate")
    assert (config.data.name, config.sampler) == ("sknas_outside:stripes", "sknas_outside:sampler")
    for one in trained:
        assert run.trial(one.number).path.joinpath("evaluated.txt").is_file()
        assert one.values[1] == sum(stage.depth for stage in one.spec.profile.stages)

    trial = str(read_front(run).points[0].trial)
    for words in (
        ["train", "outside", "--trial", trial, "--recipe", "tiny", "--epochs", "1"],
        ["export", "outside", "--trial", trial, "--images", "30"],
    ):
        code, said = nas(folder, without, *words)
        assert (code, said.count("\n")) == (2, 1)
        assert "no module 'sknas_outside'" in said
        code, said = nas(folder, installed, *words)
        assert code == 0, said
    assert (
        read_info(run.full_training(f"{int(trial):04d}").checkpoint).module == "sknas_outside:Focal"
    )
    assert list(run.export(f"{int(trial):04d}").glob("*.onnx"))
