"""TensorFlow Lite Micro, for microcontrollers: LiteRT's int8 file as a C array, its memory measured."""

from __future__ import annotations

import re
import subprocess
import sys
from bisect import bisect_left
from pathlib import Path

from nas.errors import WorkFailed
from nas.exporting.targets.quiet import quiet
from nas.exporting.targets.target import Arena, Target, Wishes, Written
from nas.exporting.targets.tflite_file import operators, read_tflite, undescribed, write_tflite

FILE, ARRAY, HEADER = "model.tflm.tflite", "model_data.cc", "model_data.h"
MEASURE = """
import sys
import numpy
from tflite_micro import runtime

size = int(sys.argv[2]) if sys.argv[2:] else None
interpreter = runtime.Interpreter.from_file(sys.argv[1], arena_size=size)
given = interpreter.get_input_details(0)
interpreter.set_input(numpy.zeros(given["shape"], given["dtype"]), 0)
interpreter.invoke()
interpreter.print_allocations()
"""
TIMEOUT = 300
ALIGNMENT = 16
BYTES_A_LINE = 16


def write_tflm(int8: Path, folder: Path, wishes: Wishes) -> Written:
    """Write the file without labels, also as a C array; see Target.derive."""
    with quiet():
        model = read_tflite(int8)
        undescribed(model)
        write_tflite(model, folder / FILE)
        names = tuple(sorted(set(operators(model))))
    content = (folder / FILE).read_bytes()
    head, tail = measured_arena(folder / FILE)
    arena = Arena(head, tail, len(content), names)
    (folder / HEADER).write_text(_header(len(content)), encoding="utf-8")
    (folder / ARRAY).write_text(_array(content), encoding="utf-8")
    files = tuple(folder / name for name in (FILE, ARRAY, HEADER))
    return Written(files, arena=arena)


def measured_arena(file: Path) -> tuple[int, int]:
    """Bytes of activations and of bookkeeping: the least arena that TensorFlow Lite Micro runs in.

    Its recorder tells them after the planning of the memory. For small images the planner itself needs
    more than the activations, and the arena is what it needs.

    Raises:
        WorkFailed: It cannot run the file.
    """
    answer = _run(file)
    said = answer.stdout + answer.stderr
    head, tail = (
        re.search(rf"Arena allocation {part} (\d+) bytes", said) for part in ("head", "tail")
    )
    if answer.returncode or head is None or tail is None:
        last = said.strip().splitlines()[-1:] or [f"exit code {answer.returncode}"]
        raise WorkFailed(f"TensorFlow Lite Micro cannot run the file: {last[0][:300]}")
    recorded, bookkeeping = int(head[1]), int(tail[1])
    return _least(file, recorded + bookkeeping) - bookkeeping, bookkeeping


def _least(file: Path, recorded: int) -> int:
    """The least arena that a file runs in: what was recorded, or up to four times that."""
    if _run(file, recorded).returncode == 0:
        return recorded
    sizes = range(recorded, 4 * recorded, ALIGNMENT)
    first = bisect_left(sizes, True, key=lambda size: _run(file, size).returncode == 0)
    if first == len(sizes):
        raise WorkFailed(f"TensorFlow Lite Micro cannot run the file in {4 * recorded} bytes")
    return sizes[first]


def _run(file: Path, arena: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a file on a black image, in a process of its own: the interpreter may end the process."""
    size = [] if arena is None else [str(arena)]
    return subprocess.run(
        [sys.executable, "-c", MEASURE, str(file), *size],
        capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip


def _header(size: int) -> str:
    return (
        "// The network: an int8 .tflite file.\n#pragma once\n\n"
        f"constexpr unsigned int kModelBytes = {size};\n"
        "extern const unsigned char kModel[kModelBytes];\n"
    )


def _array(content: bytes) -> str:
    lines = [
        "  " + ", ".join(f"0x{byte:02x}" for byte in content[start : start + BYTES_A_LINE]) + ","
        for start in range(0, len(content), BYTES_A_LINE)
    ]
    body = "\n".join(lines)
    # TensorFlow Lite Micro reads the flatbuffer in place, where it has to be aligned.
    head = '#include "model_data.h"\n\nalignas(16) const unsigned char kModel[kModelBytes] = {'
    return f"{head}\n{body}\n}};\n"


TFLM = Target(
    None,
    None,
    ("litert-torch", "ai-edge-litert", "ai-edge-quantizer", "tflite-micro"),
    form="channels_last",
    takes_pixels=True,
    base="litert",
    derive=write_tflm,
    extra="mcu",
)
