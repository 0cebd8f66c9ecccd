"""Zero-cost scores: what they compute, whom they choose, and what is said of them in the end."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from blocks import ArchSpec
from blocks.errors import InvalidInput
from nas.cli.main import main
from nas.runs import Outcome, TrialRecord
from nas.search.early_stopping import TrialSnapshot
from nas.search.searchers import ShuffledSearcher, WarmStartSearcher
from nas.search.searchers.warm_start import FIRST
from nas.search.zero_cost import SCORES, naswot, score, score_networks, synflow
from nas.search.zero_cost.scores import ZeroCostScores
from search_spaces import load_space

SPACE = """
name: six
about: Six small networks.
fixed: {backbone: shufflenet_v2, width: 0.25, stem_stride: 2}
vary:
  unit.dilations: {choice: [[1], [2], [1, 2]]}
  unit.branch_act: {choice: [false, true]}
"""


@pytest.fixture(scope="module")
def specs() -> dict[str, ArchSpec]:
    space = load_space("quickstart").bind(num_classes=10, in_channels=1, input_size=16)
    return {spec.key: spec for spec in list(space.enumerate())[::24]}


def test_naswot_is_the_determinant_of_what_is_alike() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU6())
    images = torch.randn(3, 1, 2, 2)
    first = model[1](model[0](images))
    on = torch.cat([first > 0, model[3](first.relu()) > 0], dim=1)
    alike = torch.tensor([[float((a == b).sum()) for b in on] for a in on], dtype=torch.float64)
    assert naswot(model, images) == pytest.approx(float(torch.logdet(alike)))
    assert naswot(model, images[[0, 1, 1]]) == -math.inf


@given(widths=st.lists(st.integers(1, 6), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_synflow_of_a_chain_is_its_depth_times_its_flow(widths: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    layers = [nn.Linear(a, b, bias=False) for a, b in pairwise(widths)]
    flow = torch.ones(widths[0], dtype=torch.float64)
    for layer in layers:
        flow = layer.weight.detach().double().abs() @ flow
    found = synflow(nn.Sequential(*layers), torch.randn(2, widths[0]))
    assert found == pytest.approx(math.log(len(layers) * float(flow.sum())))


@pytest.mark.parametrize("name", SCORES)
def test_networks_are_scored_alike_whoever_else_is_scored(
    name: str, specs: dict[str, ArchSpec]
) -> None:
    images = torch.randn(8, 1, 16, 16)
    state = torch.get_rng_state()
    found = score_networks(specs, name, images, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert found.keys() == specs.keys()
    assert len(set(found.values())) > 1
    last = max(specs)
    assert score_networks({last: specs[last]}, name, images, seed=1) == {last: found[last]}


def test_of_many_networks_some_are_scored(
    specs: dict[str, ArchSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "MOST", 2)
    images = torch.randn(8, 1, 16, 16)
    drawn = score_networks(specs, "synflow", images, seed=1)
    assert len(drawn) == 2
    assert drawn == score_networks(specs, "synflow", images, seed=1)


networks = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.tuples(st.sampled_from([0.5, 1.0, 2.0]) | st.floats(-9, 9), st.floats(0.1, 9)),
    min_size=1,
    max_size=20,
)


@given(networks=networks, begun=st.integers(0, FIRST + 2))
def test_no_network_comes_before_one_that_is_better_and_cheaper(
    networks: dict[str, tuple[float, float]], begun: int
) -> None:
    costs = {key: (cost,) for key, (_, cost) in networks.items()}
    scores = {key: value for key, (value, _) in networks.items()}
    then = ShuffledSearcher(0)
    snapshots = [TrialSnapshot(f"begun{i}", (1.0,), ()) for i in range(begun)]
    dealt = list(WarmStartSearcher(scores, costs, then).suggest(sorted(networks), snapshots))
    assert set(dealt) == set(networks)
    if begun >= FIRST:
        assert dealt == list(then.suggest(sorted(networks), snapshots))
        return
    for index, key in enumerate(dealt[: len(networks)]):
        for later in dealt[index + 1 : len(networks)]:
            ahead = scores[later] > scores[key] and costs[later] < costs[key]
            assert not ahead, (key, later)


def record_of(spec: ArchSpec, number: int, error: float) -> TrialRecord:
    return TrialRecord(number, spec.key, spec, Outcome.TRAINED, (error, 1.0), "", (), 1)


@pytest.mark.parametrize(("rank", "rho"), [(lambda i: -i, "1.00"), (lambda i: i, "-1.00")])
def test_the_score_is_judged_by_the_networks_trained(
    rank: Callable[[int], float], rho: str
) -> None:
    space = load_space("quickstart").bind(num_classes=10, in_channels=1, input_size=16)
    some = list(space.enumerate())[:6]
    scores = ZeroCostScores(name="naswot", scores={s.key: rank(i) for i, s in enumerate(some)})
    records = [record_of(spec, i, 0.1 + 0.1 * i) for i, spec in enumerate(some)]
    assert f"6 networks trained in full is {rho}" in scores.judged(records, ("error", "mflops"))
    assert "too few" in scores.judged(records[:3], ("error", "mflops"))


def test_a_search_starts_with_the_best_scores_and_says_what_they_were_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "six.yaml").write_text(SPACE)
    words = [
        "search", "--space", "six.yaml", "--data", "digits", "--recipe", "tiny", "--epochs", "1",
        "--limit", "128", "--sampler", "density", "--warm-start", "synflow", "--trials", "1",
        "--name", "warm",
    ]  # fmt: skip
    assert main(words) == 0
    assert "synflow: too few networks" in capfd.readouterr().out
    kept = (tmp_path / "runs/warm/zero_cost.json").read_text()
    scores = json.loads(kept)["scores"]
    first = ArchSpec.from_yaml(tmp_path / "runs/warm/trials/0000/arch.yaml")
    assert first.key == max(scores, key=lambda key: scores[key])
    (tmp_path / "runs/warm/zero_cost.json").write_text(kept[:-40])
    assert main(["search", "--resume", "warm", "--trials", "1"]) == 2
    assert "zero_cost.json: damaged; delete it" in capfd.readouterr().err
    (tmp_path / "runs/warm/zero_cost.json").unlink()
    assert main(["search", "--resume", "warm", "--trials", "1"]) == 0
    assert (tmp_path / "runs/warm/zero_cost.json").read_text() == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--warm-start", "snip", "--sampler", "density"], "allowed: naswot, synflow"),
        (
            ["--warm-start", "naswot", "--sampler", "tpe"],
            "allowed with sampler grid, density, forecast",
        ),
    ],
)
def test_a_wrong_warm_start_is_refused_in_one_line(
    options: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "--space", "quickstart", "--data", "digits", *options]) == 2
    error = capfd.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_an_unknown_score_names_the_known_ones(specs: dict[str, ArchSpec]) -> None:
    with pytest.raises(InvalidInput, match="naswot, synflow"):
        score_networks(specs, "snip", torch.zeros(1, 1, 16, 16), seed=0)
