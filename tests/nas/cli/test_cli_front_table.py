"""The table of the front on the terminal."""

from __future__ import annotations

import pytest

from blocks import ArchSpec
from nas.cli.front_table import print_best_within, print_front
from nas.front import make_front
from nas.runs import TrialRecord, TrialState
from nas.searching.uncertainty import Uncertainty


def printed(sizes: list[int], capsys: pytest.CaptureFixture[str]) -> str:
    """The table of a front with a network for each size: the larger, the better."""
    records = [
        TrialRecord(
            number,
            f"key{number}",
            ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=2, input_size=size),
            TrialState.TRAINED,
            (0.5 - number / 10, float(number)),
        )
        for number, size in enumerate(sizes)
    ]
    print_front(make_front(records, ("error", "mflops"), (1.0, 10.0)), Uncertainty())
    return capsys.readouterr().out


def test_input_sizes_that_differ_have_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.replace("│", " ").split() for line in printed([64, 96], capsys).splitlines()]
    assert ["0", "50.00", "0", "64"] in [row[:4] for row in rows]
    assert ["1", "40.00", "1", "96"] in [row[:4] for row in rows]


def test_one_input_size_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "input" not in printed([64, 64], capsys)


def test_the_best_error_within_budgets_has_a_table_for_each_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=2, input_size=16)
    figures = [(0.5, 1.0, 3000.0), (0.125, 100.0, 1000.0)]
    records = [
        TrialRecord(number, f"key{number}", spec, TrialState.TRAINED, values)
        for number, values in enumerate(figures)
    ]
    front = make_front(records, ("error", "mflops", "params"), (1.0, 100.0, 9000.0))
    print_best_within(front, Uncertainty())
    out = capsys.readouterr().out
    assert "Best error within mflops" in out
    assert "Best error within params" in out
    rows = [line.replace("│", " ").split() for line in out.splitlines()]
    assert ["1", "50.00", "0"] in rows
    assert ["100", "12.50", "1"] in rows
    assert ["1,000", "12.50", "1"] in rows
