"""Arm Ethos-U: LiteRT's int8 file compiled by Vela, which estimates memory and time."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from nas.errors import WorkFailed
from nas.exporting.targets.target import Npu, Target, Wishes, Written

ACCELERATORS = (
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256", "ethos-u65-256",
    "ethos-u65-512", "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024",
    "ethos-u85-2048",
)  # fmt: skip
VELA = "import sys; from ethosu.vela.vela import main; sys.exit(main())"
TIMEOUT = 900
KIB = 1024


def write_ethos_u(int8: Path, folder: Path, wishes: Wishes) -> Written:
    """Compile the file for ``wishes.accelerator``; see Target.derive.

    Raises:
        WorkFailed: Vela cannot compile it.
    """
    file = folder / f"model.{wishes.accelerator}.tflite"
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        (scratch / "model.tflite").write_bytes(int8.read_bytes())
        answer = subprocess.run(
            [sys.executable, "-c", VELA, "model.tflite", "--output-dir", "out",
             "--accelerator-config", wishes.accelerator],
            cwd=scratch, capture_output=True, text=True, check=False, timeout=TIMEOUT,
        )  # fmt: skip
        made = scratch / "out" / "model_vela.tflite"
        summaries = list((scratch / "out").glob("*_summary_*.csv"))
        if answer.returncode or not made.is_file() or len(summaries) != 1:
            last = (answer.stderr + answer.stdout).strip().splitlines()[-1:] or ["no reason given"]
            raise WorkFailed(f"Vela cannot compile the file: {last[0][:300]}")
        file.write_bytes(made.read_bytes())
        with summaries[0].open(encoding="utf-8", newline="") as rows:
            (row,) = csv.DictReader(rows)
    npu = Npu(
        accelerator=wishes.accelerator,
        sram=round(float(row["sram_memory_used"]) * KIB),
        flash=round(
            (float(row["off_chip_flash_memory_used"]) + float(row["on_chip_flash_memory_used"]))
            * KIB
        ),
        cycles=round(float(row["cycles_total"])),
        milliseconds=1000 * float(row["inference_time"]),
        on_npu=_operators("NPU", answer.stdout),
        on_cpu=_operators("CPU", answer.stdout),
    )
    return Written((file,), npu=npu)


def _operators(where: str, said: str) -> int:
    found = re.search(rf"{where} operators = (\d+)", said)
    if found is None:
        raise WorkFailed(f"Vela did not say how many operators run on the {where}")
    return int(found[1])


ETHOS_U = Target(
    None,
    None,
    ("litert-torch", "ai-edge-litert", "ai-edge-quantizer", "ethos-u-vela"),
    form="channels_last",
    takes_pixels=True,
    base="litert",
    derive=write_ethos_u,
    extra="mcu",
    runs_here=False,
)
