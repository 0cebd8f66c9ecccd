"""A search under budgets of SRAM and flash memory, up to the file that keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

import nas
from blocks import InvalidInput
from nas.cost.microcontroller import memory_of

BUDGETS = {"sram_kb": 80, "flash_kb": 220}


@pytest.mark.integration
@pytest.mark.slow
def test_the_exported_file_keeps_the_budgets(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    run = nas.search(
        "mcu_sk", data="digits", trials=1, epochs=1, limits=BUDGETS, objectives="error,sram_kb",
        device_class="tflm", name="tiny", progress=False, runs_dir=tmp_path, logs_dir=tmp_path / "logs",
    )  # fmt: skip
    (point,) = run.front.points
    (artifact,) = run.export(point, targets=["tflm"], images=50).manifest.artifacts
    arena, predicted = artifact.arena, memory_of(point.spec)
    assert arena is not None
    assert arena.head + arena.tail <= predicted.arena <= BUDGETS["sram_kb"] * 1024
    assert arena.flash <= predicted.file <= BUDGETS["flash_kb"] * 1024
    assert point.values[1] == predicted.arena / 1024


def test_a_budget_that_no_network_keeps_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"the tightest is max_sram_kb 20: the smallest has \d+"):
        nas.search(
            "quickstart", data="digits", limits={"sram_kb": 20}, progress=False, runs_dir=tmp_path
        )
    assert not list(tmp_path.glob("*/search.yaml"))
