"""The files of docs/howto that are named by import path do what their pages say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from blocks import ArchSpec, UnitSpec
from nas.cost import COSTS, costs_on, count, own_objectives
from nas.data import DataConfig, load_data
from nas.plugins import Expected, resolve
from nas.runs import TrialFolder
from nas.searching.samplers import make_sampler
from nas.training import RECIPES, TrainJob, read_info, read_metrics
from nas.training.evaluate import evaluate as evaluate_job
from nas.training.fit import fit
from tests.docs.docs_blocks import blocks_of

pytestmark = pytest.mark.integration

FIGURES: dict[str, Any] = {"num_classes": 10, "in_channels": 1, "input_size": 16, "stem_stride": 2}
SPEC = ArchSpec(backbone="shufflenet_v2", width=0.25, unit=UnitSpec(kind="none"), **FIGURES)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in ("data", "objective", "module", "evaluator", "sampler"):
        page = f"docs/howto/own_{kind}.md"
        (block,) = (one for one in blocks_of(page) if one.language == "python")
        Path(block.title).write_text(block.text)


def job(name: str, **fields: object) -> TrainJob:
    defaults = {
        "spec": SPEC,
        "data": DataConfig(name="digits", limit=64, val_limit=64),
        "recipe": RECIPES["tiny"].model_copy(update={"epochs": 2}),
        "seed": 0,
        "folder": Path(name),
        "log_name": "docs",
        "log_version": name,
        "threads": 1,
    }
    return TrainJob.model_validate(defaults | fields)


def test_data() -> None:
    config = DataConfig(name="shapes.py:shapes", input_size=16, workers=0)
    info = load_data(config).info
    assert info.class_names == ("square", "disc")
    assert (info.in_channels, info.train_images, info.test_images) == (1, 400, 100)
    (first, *_) = fit(job("data", data=config, spec=SPEC.model_copy(update={"num_classes": 2})))
    assert first.val_error is not None


def test_objective() -> None:
    names, own = own_objectives(["error", "flash.py:flash"], COSTS)
    assert names == ("error", "flash_kib")
    assert own[0].unit == "KiB"
    assert costs_on(None, own)["flash_kib"](SPEC) == count(SPEC).params / 1024


def test_module() -> None:
    focal = fit(job("focal", module="focal.py:Focal"))
    plain = fit(job("plain"))
    assert focal[0].train_loss < plain[0].train_loss
    loss = resolve("focal.py:FocalLoss", "module", Expected("a class", callable))
    assert isinstance(loss, type)
    even = loss()(torch.zeros(3, 4), torch.tensor([0, 1, 2]))
    torch.testing.assert_close(even, torch.tensor(0.75**2).mul(torch.log(torch.tensor(4.0))))


def test_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = resolve("thrifty.py:evaluate", "evaluator", Expected("a function", callable))
    assert callable(evaluate)
    module = sys.modules[evaluate.__module__]
    monkeypatch.setattr(module, "HOPELESS", 2)
    told: list[int] = []
    assert len(evaluate(job("long"), lambda metrics: told.append(metrics.epoch))) == 2
    assert told == [1, 2]
    monkeypatch.setattr(module, "HOPELESS", -1)
    short = job("short", evaluator="thrifty.py:evaluate")
    evaluate_job(short)
    first, last = read_metrics(TrialFolder(short.folder))
    assert (first.val_error, first.epoch, last.epoch) == (last.val_error, 1, 2)
    assert len(read_info(short.folder / "checkpoint.pt").history) == 1


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_sampler() -> None:
    assert type(make_sampler("patient.py:patient", 0)).__name__ == "TPESampler"
    assert type(make_sampler("optuna.samplers:QMCSampler", 0)).__name__ == "QMCSampler"
