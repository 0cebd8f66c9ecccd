"""Networks with attention that were never trained, as checkpoints of a training on digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from blocks import ArchSpec, SelectiveKernel, UnitSpec, build
from nas.data import DataConfig
from nas.training import RECIPES, CheckpointInfo

MakeCheckpoint = Callable[..., Path]


def small_spec(**unit: Any) -> ArchSpec:
    """ShuffleNetV2 0.5x for digits, with a unit of 3x3 and 5x5 unless told otherwise."""
    return ArchSpec(
        backbone="shufflenet_v2",
        width=0.5,
        num_classes=10,
        in_channels=1,
        input_size=16,
        stem_stride=1,
        unit=UnitSpec.model_validate(unit),
    )


def attending(spec: ArchSpec, seed: int = 0) -> nn.Module:
    """A network whose attention is far from 1 / M, in evaluation mode."""
    torch.manual_seed(seed)
    model = build(spec)
    for module in model.modules():
        if isinstance(module, SelectiveKernel) and module.attends:
            nn.init.normal_(module.select.weight, std=1.0)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the statistics of the one batch below
    # Without them the signal of a fresh network fades away on its way to the last unit.
    with torch.no_grad():
        model(torch.randn(64, spec.in_channels, spec.input_size, spec.input_size))
    return model.eval()


@pytest.fixture
def make_spec() -> Callable[..., ArchSpec]:
    return small_spec


@pytest.fixture
def make_attending() -> Callable[..., nn.Module]:
    return attending


@pytest.fixture
def make_checkpoint() -> MakeCheckpoint:
    def make(
        path: Path, model: nn.Module | None = None, *, data: str = "digits", full: bool = False,
        input_size: int | None = None, num_classes: int | None = None, jitter: float | None = None,
        **unit: Any,
    ) -> Path:  # fmt: skip
        spec = small_spec(**unit)
        changes = {"input_size": input_size, "num_classes": num_classes}
        spec = spec.model_copy(update={k: v for k, v in changes.items() if v is not None})
        info = CheckpointInfo(
            spec=spec,
            data=DataConfig(name=data, scale_jitter=jitter),
            recipe=RECIPES["tiny"],
            seed=0,
            full=full,
            history=(),
        )
        weights = (model or attending(spec)).state_dict()
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"sknas": info.model_dump(mode="json"), "model": weights}, path)
        return path

    return make
