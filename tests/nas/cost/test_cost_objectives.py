"""Objectives of one's own, and limits on any objective."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks import ArchSpec, InvalidInput
from blocks.yaml_files import parse
from nas.cost import COSTS, Budgets, OwnObjective, costs_on, limits_of, own_objectives
from nas.cost.objectives import EXPECTED
from nas.plugins import reference_to, resolve

SPEC = ArchSpec(backbone="shufflenet_v2", width=0.5, input_size=32)
OWN = """
from nas.cost import objective

open("ran", "a").write("x")

@objective("depth", unit="layers")
def depth(spec): return {value}

@objective("gain", negative=True)
def gain(spec): return -1

@objective("mflops")
def taken(spec): return 1

def plain(spec): return 1
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write()


def write(value: str = "7") -> None:
    Path("own.py").write_text(OWN.format(value=value))


def test_a_reference_becomes_a_name_that_is_resolved_when_it_is_asked_for() -> None:
    names, own = own_objectives(["error", "own.py:depth", "params"], COSTS)
    assert names == ("error", "depth", "params")
    assert [one.model_dump() for one in own] == [
        {"name": "depth", "reference": "own.py:depth", "unit": "layers"}
    ]
    assert (
        reference_to(resolve("own.py:depth", "objective", EXPECTED), "objective") == "own.py:depth"
    )
    kept = OwnObjective.model_validate(own[0].model_dump())
    assert costs_on(None, [kept])["depth"](SPEC) == 7.0


def test_reading_imports_nothing() -> None:
    kept = OwnObjective(name="depth", reference="own.py:depth")
    assert "depth" in costs_on(None, [kept])
    assert not Path("ran").exists()


def test_any_objective_can_be_bounded() -> None:
    limits, own = limits_of(["own.py:depth=6", "mflops=1e9"])
    assert limits == {"max_depth": 6.0, "max_mflops": 1e9}
    budgets = Budgets(**limits)
    assert parse(Budgets, budgets.model_dump(exclude_none=True), "search.yaml") == budgets
    assert dict(budgets.limits) == {"mflops": 1e9, "depth": 6.0}
    (violation,) = budgets.violations(SPEC, costs_on(None, own))
    assert (violation.cost, violation.value, violation.limit) == ("depth", 7.0, 6.0)
    with pytest.raises(
        InvalidInput, match="max_depth: unknown objective 'depth'; allowed: mflops, "
    ):
        budgets.check_known(COSTS)
    assert costs_on(None, own_objectives(["own.py:gain"], COSTS)[1])["gain"](SPEC) == -1


@pytest.mark.parametrize("text", ["depth", "=3", "mflops=-1", "mflops=nan", "mflops=x"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(InvalidInput, match="allowed: NAME=VALUE with a finite value above 0"):
        limits_of([text])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "float('nan')",
            "gives NaN for shufflenet_v2 .*; expected a finite number from 0 for every",
        ),
        ("-1", "gives -1 for"),
        ("'7'", "gives '7' "),
        ("None", "gives None "),
        ("1 / 0", r"own\.py, line 7: ZeroDivisionError: division by zero; expected a finite"),
    ],
)
def test_wrong_figures_are_one_line(value: str, said: str) -> None:
    write(value)
    one = OwnObjective(name="depth", reference="own.py:depth")
    with pytest.raises(InvalidInput, match=said) as caught:
        one(SPEC)
    assert "own.py, line" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("taken", "the program has a 'mflops' of its own"),
        ("plain", r"line 15: not decorated with @nas\.objective; expected a function decorated"),
    ],
)
def test_wrong_objectives(name: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        own_objectives([f"own.py:{name}"], COSTS)


def test_a_figure_that_changes_is_refused() -> None:
    OwnObjective(name="depth", reference="own.py:depth").check_steady(SPEC)
    Path("other.py").write_text(OWN.format(value="next(calls)") + "calls = iter([1, 2])")
    one = OwnObjective(name="depth", reference="other.py:depth")
    with pytest.raises(InvalidInput, match=r"gives 1\.0, then 2\.0 for .*; expected the same num"):
        one.check_steady(SPEC)
