r"""What an attention unit costs on a microcontroller and on an NPU: arena, flash and Vela's estimates.

ShuffleNetV2 0.5x for RGB images of 96 pixels and ten classes, plain, with SE and with SK units of two
branches, in every block or in all but the last stage. The weights are random, with statistics of real
passes: neither memory nor cycles depend on them. The arena and the file are measured with TensorFlow
Lite Micro (64-bit build); SRAM, flash, cycles and milliseconds of Ethos-U are Vela's estimates.

    python benchmarks/devices.py            # some minutes of one core; needs the extra mcu

Of the page: AMD EPYC; tflite-micro and Vela as in machine.json. Writes devices.csv and table.md into
docs/results/devices/.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from machine import write_machine
from rows import read_rows, write_rows

import nas
from blocks.deploy import fuse
from nas.exporting.pixels import from_pixels
from nas.exporting.targets import TARGETS, Quantization, Wishes
from nas.exporting.targets.ethos_u import write_ethos_u
from nas.exporting.targets.tflite_file import operators, read_tflite
from nas.exporting.targets.tflm import write_tflm

OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "devices"
SIDE, CLASSES, CALIBRATION = 96, 10, 16
SK = {"kind": "sk", "dilations": (1, 2), "branch_act": False}
UNITS: dict[str, dict[str, object]] = {
    "plain": {"kind": "none"},
    "SE": {"kind": "se"},
    "SK": SK,
    "SK, not in the last stage": {**SK, "stages": {4: {"kind": "none"}}},
    "SK in the last stage": {"kind": "none", "stages": {4: SK}},
}
ACCELERATORS = ("ethos-u55-32", "ethos-u55-128", "ethos-u65-256")


@dataclass(frozen=True)
class Row:
    """A network on an accelerator; the figures of the microcontroller repeat."""

    unit: str
    mflops: float
    operators: int
    arena: int
    head: int
    flash: int
    accelerator: str
    npu_sram: int
    npu_flash: int
    cycles: int
    milliseconds: float
    on_cpu: int


def main() -> int:
    """Measure what is not measured yet, and write the files."""
    torch.set_num_threads(1)
    rows = read_rows(OUT / "devices.csv", Row)
    for unit, fields in UNITS.items():
        if not any(row.unit == unit for row in rows):
            rows += measured(unit, fields)
            write_rows(OUT / "devices.csv", rows)
            write_machine(OUT)
    write_table(rows)
    return 0


def measured(unit: str, fields: dict[str, object]) -> list[Row]:
    """The rows of one network."""
    torch.manual_seed(0)
    spec = nas.ArchSpec(
        backbone="shufflenet_v2", width=0.5, num_classes=CLASSES, input_size=SIDE, stem_stride=2,
        unit=nas.UnitSpec.model_validate(fields),
    )  # fmt: skip
    model = nas.build(spec)
    with torch.no_grad():
        for _ in range(20):
            model(torch.rand(16, 3, SIDE, SIDE))
    network = from_pixels(fuse(model.eval(), "channels_last"), (0.5,) * 3, (0.25,) * 3, 3)
    images, litert = torch.rand(CALIBRATION, 3, SIDE, SIDE), TARGETS["litert"]
    assert litert.write is not None
    assert litert.quantize is not None
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        litert.write(network, images[:1], folder)
        how = Quantization(images, io="int8", input_range=(0.0, 1.0))
        int8 = litert.quantize(network, how, folder).files[0]
        count = len(operators(read_tflite(int8)))
        arena = write_tflm(int8, folder, Wishes()).arena
        assert arena is not None
        for accelerator in ACCELERATORS:
            npu = write_ethos_u(int8, folder, Wishes(accelerator=accelerator)).npu
            assert npu is not None
            rows.append(
                Row(
                    unit, round(nas.count(spec).mflops, 3), count, arena.bytes, arena.head, arena.flash,
                    accelerator, npu.sram, npu.flash, npu.cycles, round(npu.milliseconds, 3), npu.on_cpu,
                )
            )  # fmt: skip
    return rows


def write_table(rows: list[Row]) -> None:
    """A line a network and accelerator, with ratios to the plain network."""
    lines = [
        "| network | multiply-adds, M | operators | arena, KiB | flash, KiB | Ethos-U | its SRAM, KiB "
        "| ms | on the CPU |",
        "|---|---:|---:|---:|---:|---|---:|---:|---:|",
    ]
    for row in rows:
        plain = next(
            one for one in rows if one.unit == "plain" and one.accelerator == row.accelerator
        )
        lines.append(
            f"| {row.unit} | {row.mflops:.1f} | {row.operators} | {row.arena / 1024:.1f} "
            f"({row.arena / plain.arena:.2f}) | {row.flash / 1024:.1f} "
            f"({row.flash / plain.flash:.2f}) | {row.accelerator} | "
            f"{row.npu_sram / 1024:.1f} ({row.npu_sram / plain.npu_sram:.2f}) | "
            f"{row.milliseconds:.2f} ({row.milliseconds / plain.milliseconds:.2f}) | {row.on_cpu} |"
        )
    (OUT / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
