"""A real run of two trials on digits, made once by the command line itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
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
def finished_run(made_once: Callable[..., Path]) -> Path:
    """A folder with runs/first in it; for reading."""

    def make() -> None:
        assert main(SEARCH) == 0

    return made_once("finished", make)


@pytest.fixture
def in_run(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a copy of the run that a test may damage."""
    shutil.copytree(finished_run / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path
