"""The machine, versions and commit of a measurement; every benchmark writes them beside its figures."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Machine:
    """Where the figures are from."""

    cpu: str
    cores: int
    torch: str
    python: str
    commit: str


def machine() -> Machine:
    """This machine, these versions, this commit."""
    return Machine(
        cpu=cpu_model(),
        cores=os.cpu_count() or 1,
        torch=torch.__version__,
        python=platform.python_version(),
        commit=commit(),
    )


def write_machine(folder: Path, where: Mapping[str, Any] | None = None) -> None:
    """Write machine.json into the folder of a result page: ``where``, else ``machine()``."""
    text = json.dumps(asdict(machine()) if where is None else where, indent=2)
    (folder / "machine.json").write_text(text + "\n", encoding="utf-8")


def cpu_model() -> str:
    """The processor's name where Linux tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str:
    """The commit that is checked out, marked when files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    folder = Path(__file__).resolve().parent
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"
