"""Optuna's dashboard shows a run, on loopback alone, and cannot write to it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nas.cli.main import main

BOUND = 120


@pytest.fixture
def dashboard(in_run: Path) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", "dashboard", "first", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Tests that run in the background have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + BOUND
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield port, psutil.Process(process.pid)
    process.kill()
    process.wait()


def fetch(port: int, path: str, method: str = "GET") -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    with urllib.request.urlopen(request, timeout=BOUND) as answer:
        return bytes(answer.read())


def test_it_shows_the_study_and_leaves_it_alone(
    dashboard: tuple[int, psutil.Process], in_run: Path
) -> None:
    port, process = dashboard
    listening = {c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    study = in_run / "runs/first/study.db"
    before = study.read_bytes()
    (summary,) = json.loads(fetch(port, "/api/studies"))["study_summaries"]
    assert summary["study_name"] == "first"
    shown = json.loads(fetch(port, f"/api/studies/{summary['study_id']}"))
    assert [trial["state"] for trial in shown["trials"]] == ["Complete", "Complete"]
    with pytest.raises(urllib.error.HTTPError):
        fetch(port, f"/api/studies/{summary['study_id']}", "DELETE")
    assert study.read_bytes() == before


def test_a_port_in_use_is_refused(
    dashboard: tuple[int, psutil.Process], capfd: pytest.CaptureFixture[str]
) -> None:
    port, _ = dashboard
    assert main(["dashboard", "first", "--port", str(port)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert (
        captured.err == f"nas: --port {port}: Address already in use; allowed: one that is free\n"
    )


def test_it_ends_by_ctrl_c(dashboard: tuple[int, psutil.Process]) -> None:
    _, process = dashboard
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 0
