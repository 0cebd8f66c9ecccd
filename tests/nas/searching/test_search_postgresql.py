"""A whole search in a real PostgreSQL server, which is restarted in its midst."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blocks.errors import InvalidInput
from nas.runs import RunFolder, TrialState
from nas.searching import read_run, watch_study
from tests.nas.searching.search_helpers import Keep

pytestmark = [pytest.mark.slow]
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
BOUND = 240


@dataclass(frozen=True)
class Server:
    """A server of this test alone, on loopback."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def control(self, *words: str) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-w", *words)

    def run(self, program: str, *words: str) -> None:
        # The server refuses to run as root, as whom tests run in a container.
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run(
            [*(user if os.getuid() == 0 else []), str(PROGRAMS[-1] / program), *words],
            check=True,
            timeout=BOUND,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
        )


@pytest.fixture
def server() -> Iterator[Server]:
    # Not below pytest's folder, which only its owner may enter.
    folder = Path("/tmp") / f"sknas-postgresql-{os.getpid()}"
    folder.mkdir()
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = Server(folder, port)
    try:
        one.run("initdb", "-D", str(folder / "data"), "-U", "postgres", "--auth=trust", "-N")
        one.control("-l", str(folder / "log"), "start")
        yield one
        one.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(not PROGRAMS, reason="no PostgreSQL server")
def test_a_search_outlives_a_restart_of_its_server(
    server: Server, keep: Keep, tmp_path: Path
) -> None:
    words = [
        "search", "--space", "quickstart", "--data", "digits", "--limit", "256", "--recipe", "tiny",
        "--epochs", "3", "--trials", "4", "--workers", "1", "--threads", "1", "--sampler", "random",
        "--name", "far", "--storage", server.url,
    ]  # fmt: skip
    with (tmp_path / "output.txt").open("wb") as output:
        search = subprocess.Popen(
            [sys.executable, "-m", "nas", *words], cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + BOUND
        while not (tmp_path / "runs/far/trials/0001/metrics.jsonl").is_file():
            assert search.poll() is None, (tmp_path / "output.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        stopped = time.monotonic()
        server.control("-m", "fast", "stop")
        time.sleep(5)  # long enough for a training to end meanwhile
        server.control("-l", str(server.folder / "log"), "start")
        down = time.monotonic() - stopped
        assert search.wait(BOUND) == 0, (tmp_path / "output.txt").read_text()
    finally:
        search.kill()
    config, records = read_run(RunFolder(tmp_path / "runs/far"))
    assert config.execution.storage == server.url
    keep(
        "postgresql",
        {
            "server": PROGRAMS[-1].parent.name,
            "seconds down": round(down, 1),
            "trials": len(records),
            "trained": sum(one.state is TrialState.TRAINED for one in records),
            "failed": sum(one.state is TrialState.FAILED for one in records),
        },
    )
    assert [r.state for r in records if r.state is not TrialState.DUPLICATE] == [
        TrialState.TRAINED
    ] * 4
    assert not (tmp_path / "runs/far/study.db").exists()
    watched = watch_study(config, RunFolder(tmp_path / "runs/far"))
    (study,) = watched.get_all_studies()
    with pytest.raises(InvalidInput, match="the study of a run is read-only"):
        watched.set_study_user_attr(study._study_id, "note", "disturbed")
