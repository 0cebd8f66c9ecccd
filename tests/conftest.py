"""What every test shares."""

from __future__ import annotations

import os

# One thread a process: tests start processes beside each other, and OpenMP threads that wait for each
# other on a busy machine cost many times what they save. Processes that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

import atexit
import multiprocessing.process
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import NoReturn

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import HealthCheck, settings

from nas.cost import FvcoreCounter

# Two cores are shared with training processes that tests start; time limits of examples would only
# measure the load of the machine.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("default")

torch.set_num_threads(1)

if "SKNAS_CACHE_DIR" not in os.environ:
    # Of the tests, and of the processes that they start.
    os.environ["SKNAS_CACHE_DIR"] = tempfile.mkdtemp(prefix="sknas-cache-")
    atexit.register(shutil.rmtree, os.environ["SKNAS_CACHE_DIR"], ignore_errors=True)

FAST = "not integration and not slow and not long"
COSTLY = {"bare_python", "bucket", "bundle", "executor", "finished_run", "reference_counter"}
"""Fixtures that train a network, export one or start a process: what uses them is no unit test."""
PROCESSES = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
"""Python's own names of the events that start a process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much is broken: 50 is what the documentation tells of, the default what fits the suite."""
    parser.addoption("--kills", default="4", help="processes of a search that are killed")
    parser.addoption(
        "--figures",
        help="a folder with CSVs to which the tests that break things add what they saw",
    )
    parser.addoption(
        "--fast",
        action="store_true",
        help="only unit tests: one that trains, exports or starts a process fails",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Of ``--fast``: which tests."""
    if config.getoption("--fast"):
        config.option.markexpr = FAST


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a costly fixture, before pytest selects by marks."""
    for item in items:
        if COSTLY & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


def _refuse(*_: object, **__: object) -> NoReturn:
    pytest.fail("trains, exports or starts a process: mark the test `integration`")


@pytest.fixture(scope="session", autouse=True)
def _only_unit_tests(request: pytest.FixtureRequest) -> None:
    """Hold ``--fast`` to what it says, so that the selection is no list that somebody keeps."""
    if not request.config.getoption("--fast"):
        return

    def watch(event: str, arguments: object) -> None:
        if event in PROCESSES:
            _refuse()

    sys.addaudithook(watch)  # stays until the end of the process, as the test run does
    multiprocessing.process.BaseProcess.start = _refuse  # type: ignore[method-assign]
    pl.Trainer.fit = _refuse  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def reference_counter() -> Iterator[FvcoreCounter]:
    """One process counts for all tests: it takes seconds to start."""
    with FvcoreCounter() as counter:
        yield counter
