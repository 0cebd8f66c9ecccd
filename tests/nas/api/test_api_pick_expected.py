"""``--pick expected``: the least error of many was lucky; what networks like it have shown tells."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nas
from blocks.errors import InvalidInput
from nas.cli.main import main
from nas.searching import read_run
from nas.searching.forecast.expected_errors import expected_errors
from tests.nas.report.report_runs import FakeSearch

NETWORKS: dict[str, dict[str, object]] = {
    f"{width}-{kind}": {"width": width, "kind": kind}
    for width in (1, 2, 3, 4, 5, 6, 7, 8)
    for kind in ("plain", "se", "sk")
}
COSTS = {key: (float(str(one["width"])) ** 2,) for key, one in NETWORKS.items()}


def truth(key: str) -> float:
    """Larger networks are better; nothing else counts."""
    return 0.3 / math.sqrt(COSTS[key][0] ** 0.5)


def test_a_lucky_network_is_not_believed() -> None:
    errors = {key: truth(key) for key in NETWORKS}
    errors["2-se"] = 0.6 * truth("8-sk")  # by far the least of all
    expected = expected_errors(NETWORKS, COSTS, errors, images=100)
    assert expected["2-se"] > errors["2-se"]
    assert abs(expected["2-se"] - truth("2-se")) < abs(errors["2-se"] - truth("2-se"))


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_expected_errors_are_nearer_to_the_truth_than_single_trainings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = 200
    errors = {key: max(rng.binomial(images, truth(key)), 1) / images for key in NETWORKS}
    expected = expected_errors(NETWORKS, COSTS, errors, images)

    def distance(some: dict[str, float]) -> float:
        return float(np.mean([abs(np.log(some[key] / truth(key))) for key in NETWORKS]))

    assert distance(expected) < distance(errors)


@given(st.floats(1.5, 10))
@settings(max_examples=10, deadline=None)
def test_the_unit_of_the_error_does_not_matter(worst: float) -> None:
    errors = {key: truth(key) * (1.1 if "se" in key else 1.0) for key in NETWORKS}
    once = expected_errors(NETWORKS, COSTS, errors)
    scaled = {key: worst * error for key, error in errors.items()}
    for key, one in expected_errors(NETWORKS, COSTS, scaled, worst=worst).items():
        assert one == pytest.approx(worst * once[key], rel=1e-3)


def test_few_networks_keep_their_errors() -> None:
    few = {key: NETWORKS[key] for key in list(NETWORKS)[:3]}
    errors = {key: truth(key) for key in few}
    assert expected_errors(few, COSTS, errors, 100) == errors
    same = {str(number): NETWORKS["1-se"] for number in range(5)}
    errors = {key: 0.1 + int(key) / 100 for key in same}
    assert expected_errors(same, dict.fromkeys(same, (1.0,)), errors, 100) == errors


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSearch:
    """A finished search of twelve networks, in runs/first."""
    monkeypatch.chdir(tmp_path)
    search = FakeSearch(tmp_path / "runs", settings={"trials": 12})
    search.train_some(12)
    return search


def test_it_may_be_any_trained_network_and_keeps_budgets(
    search: FakeSearch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = nas.open_run("first")
    column = run.front.objectives.index("mflops")
    trained = {one.number: one for one in read_run(search.run)[1] if one.values}
    picked = run.pick("expected")
    assert picked.trial in trained
    assert picked.values == trained[picked.trial].values
    limit = sorted(one.values[column] for one in trained.values())[4]
    cheap = run.pick("expected", max_mflops=limit)
    assert cheap.values[column] <= limit
    assert (
        main(["pareto", "first", "--pick", "expected", "--max", f"mflops={limit}", "--json"]) == 0
    )
    document = json.loads(capfd.readouterr().out)
    assert document["pick"]["trial"] == cheap.trial
    assert document["pick"]["arch"] == cheap.spec.model_dump(mode="json")
    assert main(["pareto", "first", "--pick", "expected"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert f"trial {picked.trial} has the least expected error: " in said
    assert f"observed {100 * picked.values[0]:.2f} %" in said
    assert f"take trial {picked.trial}" in said


def test_a_budget_that_no_network_keeps_is_refused(search: FakeSearch) -> None:
    with pytest.raises(InvalidInput, match=r"keeps max_mflops 0\.001"):
        nas.open_run("first").pick("expected", max_mflops=0.001)
