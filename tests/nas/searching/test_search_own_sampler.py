"""Samplers by name and by import path."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.samplers import QMCSampler, TPESampler

from blocks import InvalidInput
from nas.searching.samplers import make_sampler

OWN = """
from optuna.samplers import PartialFixedSampler, RandomSampler, QMCSampler

def fixed(seed): return PartialFixedSampler({"a": 1}, RandomSampler(seed=seed))
def wrong(seed): return seed
def raises(seed): return {}[seed]
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_names_classes_and_functions() -> None:
    assert isinstance(make_sampler("tpe", 0), TPESampler)
    assert isinstance(make_sampler("optuna.samplers:QMCSampler", 3), QMCSampler)
    assert type(make_sampler("own.py:fixed", 3)).__name__ == "PartialFixedSampler"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own.py:wrong", r"own\.py, line 5: gives an int; expected a class of optuna"),
        ("own.py:raises", r"own\.py, line 6: KeyError: 0; expected a class of optuna"),
        ("none", "unknown sampler 'none'; allowed: tpe"),
    ],
)
def test_wrong_samplers(name: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make_sampler(name, 0)
