"""What a measurement was made on; every benchmark says it with its figures."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

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
