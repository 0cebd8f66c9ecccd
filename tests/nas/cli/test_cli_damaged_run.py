"""Every file of a run cut short anywhere is made good, or refused in one line; nothing else is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.cli.main import main
from nas.runs import RunFolder
from nas.searching import read_front

CUTS = (0.0, 0.3, 0.6, 0.95, 1.0)  # shares of the file that are left; 1: all but a byte
FILES = [
    "search.yaml",
    "study.db",
    "pareto.json",
    "report.html",
    "trials/0000/arch.yaml",
    "trials/0000/checkpoint.pt",
    "trials/0000/job.json",
    "trials/0000/metrics.jsonl",
    "trials/0000/output.txt",
    "trials/0000/owner.json",
]
CONTENT = {"search.yaml", "study.db"}  # without these there is no run


def contents(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_the_files_of_a_run_are_these(in_run: Path) -> None:
    found = set(contents(in_run / "runs/first"))
    assert found - {name.replace("/0000/", "/0001/") for name in FILES} - {
        ".lock", "trials/0000/.lock", "trials/0001/.lock",
    } == {name for name in FILES if "/0000/" in name}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_mended_or_refused_in_one_line(
    name: str, in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder.existing("first")
    damaged, before = run.path / name, contents(run.path)
    front = read_front(run).to_json()
    for cut in CUTS:
        left = before[name][: min(int(cut * len(before[name])), len(before[name]) - 1)]
        for words in (["pareto", "first"], ["search", "--resume", "first"], ["report", "first"]):
            damaged.write_bytes(left)
            capfd.readouterr()
            code = main(words)
            error = capfd.readouterr().err.strip()
            assert "Traceback" not in error
            if code == 0:
                assert read_front(run).to_json() == front
                continue
            assert code == 2, error
            assert name in CONTENT
            assert str(damaged) in error
            assert "\n" not in error
            after = contents(run.path)
            assert after.pop(name) == left
            assert after == {other: before[other] for other in after}
            assert len(after) == len(before) - 1
