"""Trainings with further branches: what is kept is the network itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import nas
from blocks import ArchSpec, UnitSpec, build
from blocks.deploy.reparametrised import ReparametrisedConv
from nas.data import DataConfig, load_data
from nas.runs import TrialFolder
from nas.training import RECIPES, TrainJob, load_checkpoint
from nas.training.checkpoint import load_content
from nas.training.fit import fit

SPEC = ArchSpec(
    backbone="shufflenet_v2",
    width=0.5, input_size=16, in_channels=1, num_classes=10, stem_stride=2,
    unit=UnitSpec(dilations=(1, 2), group_width=2, min_dim=8),
)  # fmt: skip
RECIPE = RECIPES["tiny"].model_copy(update={"epochs": 3, "reparametrise": True, "ema_decay": 0.9})


def job(folder: Path, **fields: object) -> TrainJob:
    return TrainJob.model_validate(
        {
            "spec": SPEC,
            "data": DataConfig(name="digits", limit=256),
            "recipe": RECIPE,
            "seed": 0,
            "folder": folder,
            "logs": folder / "logs",
            "log_name": "t",
            "log_version": "0",
            "threads": 1,
            **fields,
        }
    )


def test_the_checkpoint_holds_the_merged_network_and_goes_on_with_the_branches(
    tmp_path: Path,
) -> None:
    whole = fit(job(tmp_path / "whole"))
    fit(job(tmp_path / "parts", stop_epoch=1))
    parts = fit(job(tmp_path / "parts"))
    assert [one.val_error for one in parts] == [one.val_error for one in whole]

    path = TrialFolder(tmp_path / "whole").checkpoint
    assert any(".smaller." in name for name in load_content(path)["state_dict"])
    net = load_checkpoint(path).model
    assert not any(isinstance(one, ReparametrisedConv) for one in net.modules())
    assert set(net.state_dict()) == set(build(SPEC).state_dict())
    wrong = images_seen = 0
    data = load_data(DataConfig(name="digits", limit=256))
    with torch.no_grad():
        for images, labels in data.val_batches(500, torch.device("cpu")):
            wrong += int((net(images).argmax(1) != labels).sum())
            images_seen += len(labels)
    assert wrong / images_seen == pytest.approx(whole[-1].val_error)


def test_a_full_training_does_as_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = nas.search(
        "quickstart", data="digits", recipe="tiny", limit=128, trials=1, epochs=1, threads=1,
        reparametrise=True, name="first", progress=False,
    )  # fmt: skip
    assert run.train(0, recipe="tiny", epochs=1, threads=1).test_error < 1
    trained = load_checkpoint(run.folder.full_training("0000").checkpoint)
    assert trained.info.recipe.reparametrise
    again = run.train(0, recipe="tiny", epochs=1, threads=1, reparametrise=False, again=True)
    assert not load_checkpoint(again.checkpoint).info.recipe.reparametrise
