"""Vela, Arm's compiler for Ethos-U: what it estimates for a .tflite file."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from blocks.errors import InvalidInput
from nas.errors import WorkFailed
from nas.naming import option

DeviceClass: TypeAlias = Literal[
    "tflm", "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256", "ethos-u65-256",
    "ethos-u65-512", "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024",
    "ethos-u85-2048",
]  # fmt: skip
"""Whose memory ``sram_kb`` and ``flash_kb`` are: TensorFlow Lite Micro's, or that of an Ethos-U."""
TFLM, *ACCELERATORS = get_args(DeviceClass)
PACKAGE, WRITER, EXTRA = "ethos-u-vela", "ai-edge-litert", "mcu"
"""Vela, and what writes the file that it is given before a training."""
COMPILER, SCHEMA = "ethosu.vela.vela", "ai_edge_litert.schema_py_generated"
"""The modules that are used of both."""
CALL = """
import sys
try:
    from ethosu.vela.vela import main
except BaseException as error:
    sys.exit(" ".join(f"it does not start: {type(error).__name__}: {error}".split()))
sys.exit(main())
"""
TIMEOUT = 900
KIB = 1024


@dataclass(frozen=True)
class Npu:
    """What Vela estimates for an Ethos-U; nothing of it was measured on a chip.

    Attributes:
        accelerator: Such as ethos-u55-128.
        sram: Bytes of SRAM.
        flash: Bytes of the compiled file. Version 0.1 wrote those of its weights and commands, and 0 for
            ethos-u65 and ethos-u85.
        cycles: Of one image.
        milliseconds: Of one image.
        on_npu: Operators that run on it.
        on_cpu: Operators that do not.
    """

    accelerator: str
    sram: int
    flash: int
    cycles: int
    milliseconds: float
    on_npu: int
    on_cpu: int


def check_vela(accelerator: str) -> str:
    """The version of Vela.

    Raises:
        InvalidInput: It is not installed, or what it needs before a training.
    """
    for package in (WRITER, PACKAGE):
        try:
            found = version(package)
        except PackageNotFoundError:
            raise InvalidInput(
                f"{option('device_class')} {accelerator}: the package {package} is missing; "
                f"pip install 'sknas[{EXTRA}]'"
            ) from None
    return found


@cache
def start_vela(asked: str = "") -> None:
    """Import what ``compile_file(..., apart=False)`` needs.

    Args:
        asked: The option that asks for it, at the front of a message.

    Raises:
        InvalidInput: An installed package is damaged, or does not fit the others.
    """
    for package, module in ((WRITER, SCHEMA), (PACKAGE, COMPILER)):
        try:
            import_module(module)
        except (Exception, SystemExit) as error:  # a damaged package may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise InvalidInput(
                f"{asked and f'{asked}: '}the package {package} does not start ({reason}); "
                f"pip install --force-reinstall {package}"
            ) from None


def compile_file(
    file: Path, accelerator: str, folder: Path, *, apart: bool = True
) -> tuple[Path, Npu]:
    """Compile an int8 .tflite file.

    Args:
        file: The file.
        accelerator: One of ACCELERATORS.
        folder: An empty one, for what Vela writes.
        apart: In a process of its own, which takes half a second more, and may end without harm.

    Returns:
        The compiled file, in ``folder``, and the estimates.

    Raises:
        WorkFailed: Vela cannot compile it.
    """
    options = [str(file), "--output-dir", str(folder), "--accelerator-config", accelerator]
    code, said = (_apart if apart else _here)(options)
    made = folder / f"{file.stem}_vela.tflite"
    summaries = list(folder.glob("*_summary_*.csv"))
    if code or not made.is_file() or len(summaries) != 1:
        last = said.strip().splitlines()[-1:] or ["no reason given"]
        raise WorkFailed(f"Vela cannot compile the file: {last[0][:300]}")
    with summaries[0].open(encoding="utf-8", newline="") as rows:
        (row,) = csv.DictReader(rows)
    return made, Npu(
        accelerator=accelerator,
        sram=round(float(row["sram_memory_used"]) * KIB),
        flash=made.stat().st_size,
        cycles=round(float(row["cycles_total"])),
        milliseconds=1000 * float(row["inference_time"]),
        on_npu=_operators("NPU", said),
        on_cpu=_operators("CPU", said),
    )


def _apart(options: Sequence[str]) -> tuple[int, str]:
    answer = subprocess.run(
        [sys.executable, "-c", CALL, *options],
        capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    return answer.returncode, answer.stderr + answer.stdout


def _here(options: Sequence[str]) -> tuple[int, str]:
    from ethosu.vela.vela import main

    said, limit = io.StringIO(), sys.getrecursionlimit()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            code = main(list(options))
    except (Exception, SystemExit) as error:  # a compiler may raise anything
        said.write(f"\n{error}")
        code = 1
    finally:
        sys.setrecursionlimit(limit)  # Vela sets one of its own
    return int(code), said.getvalue()


def _operators(where: str, said: str) -> int:
    found = re.search(rf"{where} operators = (\d+)", said)
    if found is None:
        raise WorkFailed(f"Vela did not say how many operators run on the {where}")
    return int(found[1])
