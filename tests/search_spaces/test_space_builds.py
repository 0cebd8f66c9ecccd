"""Every network that a space emits builds, runs forward and learns."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution

from blocks import ArchSpec, build
from search_spaces import SPACES, load_space
from tests.search_spaces.space_helpers import MIXED, SMALL, params_of, space_of

SPACES_UNDER_TEST = {name: load_space(name).bind(**SMALL) for name in SPACES} | {
    "mixed": space_of(MIXED)
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES_UNDER_TEST)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_network_builds_and_learns(name: str, data: st.DataObject) -> None:
    space = SPACES_UNDER_TEST[name]
    learns(space.from_params(data.draw(params_of(space))))


@pytest.mark.parametrize("act", [False, True])
@pytest.mark.parametrize("dilations", ["1", "2"])
@pytest.mark.parametrize(
    "name", [name for name in SPACES if name != "table4" and "stages" not in name]
)
def test_a_single_branch_learns(name: str, dilations: str, act: bool) -> None:
    """The corner where no selection stands between a branch and the layer that follows."""
    space = SPACES_UNDER_TEST[name]
    params = space.to_params(next(space.enumerate()))
    choices = {
        parameter: found.choices
        for parameter, found in space.distributions().items()
        if parameter.startswith("unit.dilations") and isinstance(found, CategoricalDistribution)
    }
    branches = next(one for one, values in choices.items() if dilations in values)
    if branches.endswith("[1]"):
        params["unit.kernel"] = "real"
    learns(space.from_params({**params, branches: dilations, "unit.branch_act": act}))


def learns(spec: ArchSpec) -> None:
    model = build(spec).train()
    logits = model(torch.randn(2, 1, 16, 16))
    assert logits.shape == (2, 10)
    logits.square().sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
