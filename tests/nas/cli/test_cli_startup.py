"""What a command imports before it does anything: seconds that every user waits."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_still_importing_ends_in_one_line(
    end: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", "tables", "1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background, or under nohup, have some ignored.
        preexec_fn=lambda: signal.signal(end, signal.SIG_DFL),
    )
    watched, deadline = psutil.Process(process.pid), time.monotonic() + 120
    while not any("libtorch" in one.path for one in watched.memory_maps()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(end)
    out, error = process.communicate(timeout=120)
    assert (process.returncode, out, error) == (1, "", "nas: interrupted\n")


ASKED = """
import signal, sys, time
from nas.__main__ import Interrupt
signal.signal(signal.SIGTERM, Interrupt())
try:
    signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    print("asked")
signal.raise_signal(signal.SIGTERM)  # by timeout, which asks the process and then its group
print("clearing up", flush=True)
time.sleep(1.1)
signal.raise_signal(signal.SIGTERM)
print("still there")
"""


def test_who_asks_again_a_second_later_need_not_wait() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.stdout == "asked\nclearing up\n"
    assert (answer.returncode, answer.stderr) == (1, "nas: interrupted\n")
