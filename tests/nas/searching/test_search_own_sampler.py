"""Samplers by name and by import path."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.samplers import QMCSampler, TPESampler

from blocks import InvalidInput
from nas.plugins import PluginRaised
from nas.searching.samplers import make_sampler
from tests.nas.searching.search_helpers import FormulaEvaluator, formula_search, make_config

OWN = """
from optuna.samplers import PartialFixedSampler, RandomSampler, QMCSampler

def fixed(seed): return PartialFixedSampler({"a": 1}, RandomSampler(seed=seed))
def wrong(seed): return seed
def raises(seed): return {}[seed]

class Deep(RandomSampler):
    def infer_relative_search_space(self, *a): raise RuntimeError("deep.")

class Theirs(RandomSampler):
    def sample_independent(self, *a):
        from blocks import InvalidInput
        raise InvalidInput("a complaint")

class Beside(RandomSampler):
    def sample_independent(self, *a): return "beside"

class Told(RandomSampler):
    def after_trial(self, *a): return {}[0]

made = RandomSampler(seed=1)
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)


@pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")
def test_names_classes_and_functions() -> None:
    assert isinstance(make_sampler("tpe", 0), TPESampler)
    assert isinstance(make_sampler("optuna.samplers:QMCSampler", 3), QMCSampler)
    assert type(make_sampler("own.py:fixed", 3)).__name__ == "PartialFixedSampler"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own.py:wrong", r"own\.py, line 5: gives an int; expected a class of optuna"),
        ("own.py:raises", r"own\.py, line 6: KeyError: 0; expected a class of optuna"),
        ("own.py:made", r"own\.py, line 22: a RandomSampler; expected a class of optuna"),
        ("none", "unknown sampler 'none'; allowed: tpe, .*, or one of your own: package"),
    ],
)
def test_wrong_samplers(name: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make_sampler(name, 0)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own.py:Deep", r"own\.py, line 9: RuntimeError: deep; expected a sampler for several"),
        ("own.py:Theirs", r"own\.py, line 14: a complaint; expected a sampler for several"),
        ("own.py:Beside", r"own\.py, line 16: ValueError: 'beside' not in .*; expected a sampler"),
        ("own.py:Told", r"own\.py, line 20: KeyError: 0; expected a sampler for several"),
        (
            "optuna.samplers:CmaEsSampler",
            r"_cmaes\.py, line \d+: ValueError: .* multi-objective .* cannot be used; expected",
        ),
    ],
)
def test_what_a_sampler_raises_when_it_is_asked_is_one_line(
    name: str, said: str, tmp_path: Path
) -> None:
    config = make_config(trials=2, sampler=name)
    with pytest.raises(PluginRaised, match=rf"^sampler {name}: .*{said}"):
        formula_search(tmp_path / "run", config, FormulaEvaluator())
