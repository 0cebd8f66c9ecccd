"""Arm Ethos-U: LiteRT's int8 file compiled by Vela, which estimates memory and time."""

from __future__ import annotations

import tempfile
from pathlib import Path

from nas.cost.microcontroller.vela import ACCELERATORS, EXTRA, PACKAGE, compile_file
from nas.exporting.targets.target import Target, Wishes, Written
from nas.exporting.targets.tflite_file import ports, read_tflite, undescribed, write_tflite

__all__ = ["ACCELERATORS", "ETHOS_U", "write_ethos_u"]


def write_ethos_u(int8: Path, folder: Path, wishes: Wishes) -> Written:
    """Compile the file, without labels, for ``wishes.accelerator``; see Target.derive.

    Raises:
        WorkFailed: Vela cannot compile it.
    """
    file = folder / f"model.{wishes.accelerator}.tflite"
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        model = read_tflite(int8)
        undescribed(model)
        write_tflite(model, scratch / "model.tflite")
        made, npu = compile_file(scratch / "model.tflite", wishes.accelerator, scratch / "out")
        file.write_bytes(made.read_bytes())
    return Written((file,), npu=npu, ports=ports(read_tflite(file)))


ETHOS_U = Target(
    None,
    None,
    ("litert-torch", "ai-edge-litert", "ai-edge-quantizer", PACKAGE),
    form="channels_last",
    takes_pixels=True,
    base="litert",
    derive=write_ethos_u,
    extra=EXTRA,
    runs_here=False,
    accelerators=ACCELERATORS,
)
