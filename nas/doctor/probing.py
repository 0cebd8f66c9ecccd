"""Something tried out in a process of its own, that may crash or hang without taking this one along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

PROBE = "nas.doctor.probe"
SAFE_PATH = "PYTHONSAFEPATH"


class ProbeFailed(Exception):
    """What went wrong, in one line."""


def probe(
    what: str, asked: Mapping[str, Any], seconds: float, threads: int | None = None
) -> dict[str, Any]:
    """Run ``nas.doctor.probe`` in a new process.

    Args:
        what: The name of the probe.
        asked: What it is told; can be written as JSON.
        seconds: That it may take.
        threads: CPU threads; None: as many as it takes.

    Returns:
        What it found.

    Raises:
        ProbeFailed: It failed, crashed, or was not done in time.
    """
    environment = dict(os.environ)
    # A file in the user's folder must not stand in for a module of the program.
    environment[SAFE_PATH] = "1"
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryDirectory(prefix="nas-") as name:
        answer = Path(name) / "answer.json"
        process = subprocess.Popen(
            [sys.executable, "-m", PROBE, what, json.dumps(asked), str(answer)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
        )
        try:
            _, printed = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ProbeFailed(f"not done after {seconds:g} seconds") from None
        finally:
            # With what it has started itself, such as a converter.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode == 0:
            return _read(answer)
    raise ProbeFailed(_how_it_ended(process.returncode, printed))


def _read(answer: Path) -> dict[str, Any]:
    found = dict(json.loads(answer.read_text(encoding="utf-8")))
    if "failed" in found:
        raise ProbeFailed(found["failed"])
    return found


def _how_it_ended(code: int, printed: str) -> str:
    if code < 0:
        with suppress(ValueError):
            return f"the process crashed ({signal.Signals(-code).name})"
    last = printed.strip().splitlines()[-1:] or ["nothing was said"]
    return f"the process ended with exit code {code}: {last[0]:.200}"
