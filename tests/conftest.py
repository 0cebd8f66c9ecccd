"""What every test shares."""

from __future__ import annotations

import os

# One thread a process: tests start processes beside each other, and OpenMP threads that wait for each
# other on a busy machine cost many times what they save. Processes that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from hypothesis import HealthCheck, settings

# Two cores are shared with training processes that tests start; time limits of examples would only
# measure the load of the machine.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("default")

torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much is broken: 50 is what the documentation tells of, the default what fits the suite."""
    parser.addoption("--kills", default="4", help="processes of a search that are killed")
    parser.addoption(
        "--figures",
        help="a folder with CSVs to which the tests that break things add what they saw",
    )
