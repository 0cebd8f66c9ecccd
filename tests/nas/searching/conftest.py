"""Figures of what was broken, kept where they are asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.nas.searching.search_helpers import Keep


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Keep:
    """Adds a line to a CSV in the folder that ``--figures`` names; does nothing where none is named."""

    def add(name: str, row: dict[str, object]) -> None:
        if folder := request.config.getoption("--figures"):
            file = Path(folder) / f"{name}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            new = not file.is_file()
            with file.open("a", newline="") as lines:
                writer = csv.DictWriter(lines, list(row))
                if new:
                    writer.writeheader()
                writer.writerow(row)

    return add
