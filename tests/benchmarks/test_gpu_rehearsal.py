"""The programs that wait for a GPU run on the CPU, with small figures, to their end."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def run(out: Path, *words: str) -> list[dict[str, str]]:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--rehearse", "--out", out, *words],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with (out / "steps.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("step", ["tests", "select", "throughput", "sweep", "table4", "curves"])
def test_every_step_ends_well(step: str, tmp_path: Path) -> None:
    (row,) = run(tmp_path, "--steps", step, "--minutes", "60")
    log = (tmp_path / f"{step}.log").read_text(encoding="utf-8")
    assert (row["step"], row["code"]) == (step, "0"), log
    if step == "throughput":
        rows = json.loads((tmp_path / "throughput.json").read_text(encoding="utf-8"))["rows"]
        assert {"plain", "ours"} <= {one["way"].split()[0] for one in rows}
    written = {
        "select": ["select.csv"],
        "sweep": ["runs/gpu/trials/0001/checkpoint.pt"],
        "table4": ["table4/trainings.csv", "table4/curves.csv"],
        "curves": ["curves/curves.csv.gz", "curves/networks.json"],
    }
    for name in written.get(step, []):
        assert (tmp_path / name).is_file(), log


def test_a_step_without_time_is_cut_off_and_run_again(tmp_path: Path) -> None:
    words = ("--steps", "select", "--minutes")
    assert [row["code"] for row in run(tmp_path, *words, "0.001")] == ["124"]
    assert [row["code"] for row in run(tmp_path, *words, "60")] == ["0"]
