from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from blocks import ArchSpec
from nas.cli.main import main
from nas.cost import count
from nas.paper import TITLES, published

QUICK = ["1", "3", "4", "5", "6", "7", "se", "gc"]
"""All but Table 2, for which libraries build networks."""


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of 100 columns, as a terminal may have them."""
    monkeypatch.setattr("nas.cli.tables.console._width", 100)


@pytest.fixture
def wrong_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SKNet-50 is printed with 2.75 million parameters in Table 3."""
    text = published.CSV.read_text(encoding="utf-8")
    wrong = text.replace("3,SKNet-50,20.79,,,27.5,", "3,SKNet-50,20.79,,,2.75,")
    assert wrong != text
    path = tmp_path / "published.csv"
    path.write_text(wrong, encoding="utf-8")
    monkeypatch.setattr(published, "CSV", path)


def printed_json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "1"]) == 0
    out = capsys.readouterr().out
    assert TITLES["1"] in out
    assert TITLES["3"] not in out
    (line,) = [line for line in out.splitlines() if "SKNet-50" in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == [
        "SKNet-50", "20.79", "27.50", "4.47", "27.480", "4.463", "-0.020", "-0.007", "ok",
    ]  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_a_table_fits_a_hundred_columns_with_each_row_on_one_line(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tables", name, "--json"]) == 0
    names = [row["network"] for row in printed_json(capsys)]
    assert main(["tables", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.split("│")[1].strip() for line in lines if line.startswith("│")] == names


def test_all_tables_without_timm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    assert main(["tables"]) == 0
    out = capsys.readouterr().out
    assert all(title in out for title in TITLES.values())
    assert "install timm to count it" in out
    assert max(map(len, out.splitlines())) <= 100


def test_check_names_what_cannot_be_reproduced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "--check", *QUICK]) == 0
    out = capsys.readouterr().out
    assert "table 1, SENet-50: -0.156M params, -17.01 MFLOPs" in out
    assert "table 4, ShuffleNetV2 1.0x: -0.171M params, +4.56 MFLOPs" in out
    assert "cited: nothing here builds it" in out
    assert ", 0 out, " in out.splitlines()[-1]


def test_check_fails_on_a_wrong_figure(
    wrong_figure: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tables", "--check", "3"]) == 1
    captured = capsys.readouterr()
    assert captured.err.strip() == "nas: 1 out of tolerance: table 3, SKNet-50"
    assert "table 3, SKNet-50: +24.730M params" in captured.out
    assert main(["tables", "3"]) == 0
    assert main(["tables", "--check", "1"]) == 0


def test_check_with_json_prints_the_rows_and_fails(
    wrong_figure: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tables", "--check", "--json", "3"]) == 1
    statuses = {row["network"]: row["status"] for row in printed_json(capsys)}
    assert [name for name, status in statuses.items() if status == "out"] == ["SKNet-50"]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "--json", "1", "gc", "1"]) == 0
    rows = printed_json(capsys)
    assert [row["table"] for row in rows] == ["1"] * 3 + ["gc"] * 8
    (sknet,) = [row for row in rows if row["network"] == "SKNet-50"]
    assert sknet["published"] == {"params": 27_500_000, "mflops": 4470}
    assert sknet["ours"] == {"params": 27_479_784, "mflops": 4462.710784}
    assert sknet["difference"] == {"params": -20_216, "mflops": -7.289216}
    assert (sknet["error"], sknet["status"]) == (20.79, "ok")
    assert sknet["source"].startswith("SK Table 1")
    assert count(ArchSpec.model_validate(sknet["arch"])).params == 27_479_784


@pytest.mark.parametrize("name", ["8", "0", "two", "SE"])
def test_an_unknown_table_gets_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip() == (
        f"nas: unknown table {name!r}; allowed: 1, 2, 3, 4, 5, 6, 7, se, gc"
    )
