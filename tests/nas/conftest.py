"""A folder for all processes of a test run; a store that machines reach over a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias
from urllib.request import Request, urlopen

import pytest
import s3fs
from filelock import FileLock
from moto.server import ThreadedMotoServer

MadeOnce: TypeAlias = Callable[[str, Callable[[], None]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Gives the folder of a name, in which a function was called once for all processes of the run."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base

    def folder_of(name: str, make: Callable[[], None]) -> Path:
        folder, made = root / name, root / f"{name}.made"
        with FileLock(root / f"{name}.lock"), pytest.MonkeyPatch.context() as patch:
            if not made.exists():
                folder.mkdir()
                patch.chdir(folder)
                make()
                made.touch()
        return folder

    return folder_of


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A folder in a bucket of a server that speaks S3.

    This process and those it starts find it by themselves.
    """
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    # What it holds is the process's, not the server's: an earlier module's bucket stands there.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST"), timeout=30).close()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "nobody")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()  # it knows servers of before
        s3fs.S3FileSystem().mkdir("sweeps")
        yield "s3://sweeps/of-mine"
    server.stop()
