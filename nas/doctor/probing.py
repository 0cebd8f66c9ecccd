"""Runs probes in their own processes, which may crash or hang without affecting this one."""

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
    """A one-line reason why a probe failed."""


def probe(
    what: str, asked: Mapping[str, Any], seconds: float, threads: int | None = None
) -> dict[str, Any]:
    """Run ``nas.doctor.probe`` in a new process.

    Args:
        what: Name of the probe.
        asked: Arguments of the probe, as JSON values.
        seconds: Time limit in seconds.
        threads: Number of CPU threads; None: no limit.

    Returns:
        The result of the probe.

    Raises:
        ProbeFailed: The probe failed, crashed, or exceeded the time limit.
    """
    environment = dict(os.environ)
    # A file in the user's folder must not replace a module of the program.
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
            raise ProbeFailed(f"not finished after {seconds:g} seconds") from None
        finally:
            # Together with its own child processes, such as a converter.
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
    last = printed.strip().splitlines()[-1:] or ["no output"]
    return f"the process ended with exit code {code}: {last[0]:.200}"
