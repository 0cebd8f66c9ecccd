"""A real run of two trials on digits, made once by the command line itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.cli.main import main

SEARCH = [
    "search", "--space", "quickstart", "--data", "digits", "--recipe", "tiny", "--epochs", "2",
    "--trials", "2", "--workers", "2", "--seed", "0", "--name", "first",
    # Named, so that the networks that tests look at do not change with the default.
    "--sampler", "tpe",
]  # fmt: skip


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/first in it."""
    folder = tmp_path_factory.mktemp("finished")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(SEARCH) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def in_run(finished_run: Path, tmp_path: Path) -> Iterator[Path]:
    """The current folder, with a copy of the run that a test may damage."""
    shutil.copytree(finished_run / "runs", tmp_path / "runs")
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
