"""Plug-ins of the user's on the command line: what is wrong is one line, and reading imports none."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blocks.yaml_files import read_yaml
from nas.cli.main import main

KEPT = Path(__file__).parents[1] / "runs" / "made_by_0.1.0"
OWN = """
import torch
import nas

class Items:
    def __init__(self, count=40, label=None): self.count, self.label = count, label
    def __len__(self): return self.count
    def __getitem__(self, row):
        return torch.full((3, 16, 16), 0.5), row % 2 if row < 20 else self.label or row % 2

class Named(Items): classes = ["a", "c"]
class Flat(Items):
    def __getitem__(self, row): return torch.full((3, 16, 16 - row % 2), 0.5), row % 2

def empty(): return nas.Datasets(Items(), Items(0), Items(), ["a", "b"])
def unequal(): return nas.Datasets(Items(), Items(), Named(), ["a", "b"])
def label(): return nas.Datasets(Items(), Items(label=2), Items(), ["a", "b"])
def shape(): return nas.Datasets(Flat(), Items(), Items(), ["a", "b"])
def raises(): return {}["lost"]

@nas.objective("nan")
def nan(spec): return float("nan")
@nas.objective("boom")
def boom(spec): return [][1]
def plain(spec): return 1.0
def no_sampler(seed): return 3
def bad_sampler(seed): raise ValueError("no luck")
"""
LINES = OWN.splitlines()


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(LINES, 1) if text in line)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    known = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    Path("broken.py").write_text("\n1 / 0\n")
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("sknas_plugin_"):
            del sys.modules[name]


DIGITS = "--data digits"
WRONG = {
    "no file": (
        "--data gone.py:images",
        "gone.py: no such file\n",
    ),
    "no name": ("--data own.py:gone", "own.py defines no 'gone'"),
    "no package": ("--data nowhere.part:images", "no module 'nowhere' in this Python; install"),
    "raises when imported": ("--data broken.py:images", "broken.py, line 2: ZeroDivisionError"),
    "data raise": ("--data own.py:raises", f"own.py, line {line_of('lost')}: KeyError: 'lost'"),
    "an empty split": ("--data own.py:empty", f"line {line_of('def empty')}: val is empty"),
    "unequal classes": (
        "--data own.py:unequal",
        f"line {line_of('def unequal')}: test has the classes ['a', 'c'], class_names is ['a', 'b']",
    ),
    "a label out of range": (
        "--data own.py:label",
        f"line {line_of('def label')}: val[20]: label 2; expected an integer from 0 to 1",
    ),
    "shapes differ": (
        "--data own.py:shape",
        f"line {line_of('def shape')}: train[1]: a tensor of shape (3, 16, 15); expected (3, 16, 16)",
    ),
    "NaN objective": (
        f"{DIGITS} --objectives error,own.py:nan",
        "gives NaN for shufflenet_v2",
    ),
    "NaN objective in a budget": (
        f"{DIGITS} --max own.py:nan=3",
        "expected a finite number from 0",
    ),
    "objective raises": (
        f"{DIGITS} --objectives error,own.py:boom",
        f"own.py, line {line_of('[][1]')}: IndexError",
    ),
    "no objective": (
        f"{DIGITS} --objectives error,own.py:plain",
        f"own.py, line {line_of('def plain')}: not decorated with @nas.objective; expected a",
    ),
    "no limit": (f"{DIGITS} --max own.py:plain", "allowed: NAME=VALUE"),
    "unknown limit": (f"{DIGITS} --max plain=3", "unknown objective 'plain'"),
    "no module": (
        f"{DIGITS} --module own.py:plain",
        f"own.py, line {line_of('def plain')}: a function; expected a LightningModule",
    ),
    "a module by a plain name": (f"{DIGITS} --module focal", "'focal': not an import path"),
    "no evaluator": (f"{DIGITS} --evaluator own.py:LINES", "own.py defines no 'LINES'"),
    "no sampler": (f"{DIGITS} --sampler own.py:no_sampler", f"line {line_of('def no_sampler')}"),
    "sampler raises": (f"{DIGITS} --sampler own.py:bad_sampler", "ValueError: no luck"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_plugin_is_one_line_and_leaves_nothing(
    case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    options, said = WRONG[case]
    words = ["search", "--space", "quickstart", "--recipe", "tiny", "--name", "own"]
    assert main([*words, *options.split()]) == 2
    _, error = capfd.readouterr()
    assert error.count("\n") == 1, error
    assert said in error
    assert "Traceback" not in error
    assert not Path("runs").exists()


@pytest.mark.parametrize("where", ["objective", "bound"])
def test_reading_a_run_imports_no_plugin(where: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The objective has gone; only the question for a network within it needs it."""
    shutil.copytree(KEPT / "before", "runs/before")
    config = Path("runs/before/search.yaml")
    fields: dict[str, Any] = read_yaml(config)
    if where == "objective":  # as if the second figure of every trial were depths
        own, budgets = "depth", {"max_depth": 100.0}
        fields["objectives"] = ["error", "depth"]
    else:
        own, budgets = "depth", {"max_depth": 100.0, **(fields["budgets"] or {})}
    fields["own_objectives"] = [{"name": own, "reference": "gone.py:depth", "unit": "blocks"}]
    config.write_text(json.dumps({**fields, "budgets": budgets}))
    for words in (
        ["pareto", "before"],
        ["pareto", "before", "--json"],
        ["pareto", "before", "--pick", "knee"],
        ["report", "before"],
        ["runs"],
    ):
        assert main(words) == 0, words
    out, error = capfd.readouterr()
    assert error == ""
    assert "damaged" not in out
    if where == "objective":
        assert main(["pareto", "before", "--max", "depth=1000"]) == 0  # the run has its figures
    else:
        assert main(["pareto", "before", "--max", "depth=1000"]) == 2
        assert (
            "gone.py: no such file; put it back, or resume the search with its new place"
            in capfd.readouterr().err
        )
